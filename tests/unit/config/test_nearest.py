from __future__ import annotations

from podium.config.nearest import nearest_path, nearest_word

KNOWN = ["server.port", "server.host", "server.admin_port", "logs.level", "server.limits.stops"]


def test_a_misspelt_sibling_is_found() -> None:
    assert nearest_path("server.prot", KNOWN) == "server.port"


def test_a_key_in_the_wrong_section_is_found_by_its_name() -> None:
    assert nearest_path("port", KNOWN) == "server.port"
    assert nearest_path("logs.stops", KNOWN) == "server.limits.stops"


def test_a_misspelt_section_is_found() -> None:
    assert nearest_path("serevr.port", KNOWN) == "server.port"


def test_nothing_is_suggested_for_a_word_that_resembles_nothing() -> None:
    assert nearest_path("zzzzzz", KNOWN) is None
    assert nearest_word("zzzzzz", ["openvino"]) is None
