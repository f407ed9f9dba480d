"""Chat templates."""

from __future__ import annotations

import pytest

from podium.core.errors import InvalidRequest
from podium.core.generation import ChatPrompt, Message
from podium.engine.chat_template import ChatTemplate

HELLO = ChatPrompt((Message(role="user", content="Hello"),))


def test_messages_special_tokens_and_the_generation_prompt_reach_the_template() -> None:
    template = ChatTemplate(
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}",
        {"bos_token": "<s>"},
    )
    assert template.render(HELLO) == "<s>[user] Hello\n[assistant]"


def test_a_template_that_refuses_says_so_in_its_own_words() -> None:
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}", {})
    with pytest.raises(InvalidRequest, match="roles must alternate"):
        template.render(HELLO)


@pytest.mark.parametrize("body", ["'a' + m.content", "m.content.x.y", "1 // 0", "'%d' % 'a'"])
def test_messages_that_a_template_did_not_expect_are_the_caller_s_affair(body: str) -> None:
    """Such as an answer that is calls alone, whose content is null."""
    template = ChatTemplate("{% for m in messages %}{{ " + body + " }}{% endfor %}", {})
    with pytest.raises(InvalidRequest, match="cannot render these messages"):
        template.render(ChatPrompt((Message(role="assistant"),)))


def test_an_endless_template_is_stopped() -> None:
    template = ChatTemplate("{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}", {})
    with pytest.raises(InvalidRequest, match="longer than 1 s"):
        template.render(HELLO)


def test_an_endless_output_is_stopped() -> None:
    template = ChatTemplate("{% for i in range(90000) %}{{ 'x' * 1000 }}{% endfor %}", {})
    with pytest.raises(InvalidRequest, match="larger than 1 MiB"):
        template.render(HELLO)


def test_a_template_cannot_reach_python() -> None:
    template = ChatTemplate("{{ messages.__class__.__mro__ }}{{ ''.__class__.__base__.__subclasses__() }}", {})
    with pytest.raises(InvalidRequest):
        template.render(HELLO)


def test_message_text_is_data_never_template() -> None:
    template = ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}", {})
    assert template.render(ChatPrompt((Message(role="user", content="{{ 7 * 7 }}"),))) == "{{ 7 * 7 }}"
