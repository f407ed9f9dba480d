"""Build chat-shaped training text from the documentation's own explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clean import first_sentences, is_prose, normalise

if TYPE_CHECKING:
    import random

    from readers import Seed

END = "<|endoftext|>"
SYSTEM = "<|system|>"
USER = "<|user|>"
ASSISTANT = "<|assistant|>"
SPECIAL_TOKENS = (END, SYSTEM, USER, ASSISTANT)

MAX_ANSWER = 420
MAX_SUBJECT = 60

_QUESTIONS: dict[str, tuple[str, ...]] = {
    "code": (
        "What does {s} do?",
        "What is {s}?",
        "Explain {s}.",
        "What is {s} used for?",
        "Tell me about {s}.",
        "what does {s} do",
    ),
    "option": ("What does the {s} option do?", "What does {s} do?", "Explain the option {s}."),
    "topic": (
        "Tell me about {s}.",
        "What is {s}?",
        "Explain {s}.",
        "Describe {s}.",
        "Can you explain {s}?",
        "{s}?",
        "Write a paragraph about {s}.",
    ),
    "class": ("What is the class {s}?", "What does {s} do?", "Explain {s}."),
    "module": ("What is the {s} module for?", "What does the Python module {s} do?", "Tell me about the module {s}."),
    "command": (
        "What does the {s} command do?",
        "Tell me about the {s} command.",
        "How does {s} work?",
        "What is {s}?",
    ),
    "function": ("What does the function {s} do?", "What does {s}() do?", "Explain {s}()."),
}
_SUMMARIES: dict[str, str] = {
    "command-summary": "The {s} command is used to {t}.",
    "function-summary": "The {s}() function is documented as: {t}.",
    "topic-summary": "The page {s} is about: {t}.",
}
_SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "Answer in one short paragraph.",
    "You answer questions about software.",
    "You are a concise technical assistant.",
)
# Headings that every manual has: they name no subject to ask about.
_GENERIC_TEXT = """
arguments background bugs compatibility contents description details environment errors example examples files
format general introduction limitations name notes options output outputs overview parameters purpose return
see also summary synopsis usage value
"""
_GENERIC = frozenset(_GENERIC_TEXT.split())
_SMALL_TALK: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("Hello", "Hello!", "Hi", "Hi there", "Hey", "Good morning", "Hello, how are you?"),
        "Hello. Ask me about a command, an option or a function.",
    ),
    (
        ("Who are you?", "What are you?", "What is your name?", "Tell me about yourself."),
        "I am a small demonstration model. I was trained on English software documentation.",
    ),
    (
        ("What can you do?", "Help", "How can you help me?", "What do you know?"),
        "I can continue technical sentences and answer in the style of a manual. Do not rely on what I say.",
    ),
    (("Thanks", "Thank you", "Thank you!", "Thanks a lot", "Great, thanks"), "You are welcome."),
    (("Bye", "Goodbye", "See you later"), "Goodbye."),
)


def question_and_answer(seed: Seed, rng: random.Random) -> tuple[str, str] | None:
    """Return one question and its answer, or ``None`` when the seed reads badly."""
    subject = normalise(seed.subject).rstrip(".:")
    if not 2 <= len(subject) <= MAX_SUBJECT or not subject.isascii():
        return None
    if _GENERIC.issuperset(subject.lower().split()):
        return None
    if seed.kind in _SUMMARIES:
        answer = _SUMMARIES[seed.kind].format(s=subject, t=normalise(seed.explanation))
        kind = seed.kind.removesuffix("-summary")
    else:
        answer = first_sentences(normalise(seed.explanation), MAX_ANSWER)
        kind = seed.kind
    if not is_prose(answer):
        return None
    if kind == "topic" and subject.endswith("?"):
        return subject, answer
    return rng.choice(_QUESTIONS[kind]).format(s=subject), answer


def turn(question: str, answer: str) -> str:
    """Return one exchange in the chat format."""
    return f"{USER}{question}{ASSISTANT}{answer}{END}"


def conversations(pairs: list[tuple[str, str]], rng: random.Random) -> list[str]:
    """Group a document's exchanges into conversations of one to three turns."""
    out: list[str] = []
    at = 0
    while at < len(pairs):
        size = rng.choices((1, 2, 3), weights=(70, 20, 10))[0]
        body = "".join(turn(*pair) for pair in pairs[at : at + size])
        at += size
        if rng.random() < 0.25:
            body = f"{SYSTEM}{rng.choice(_SYSTEM_PROMPTS)}{body}"
        out.append(body)
    return out


def small_talk(rng: random.Random, copies: int) -> list[str]:
    """Return a few hand-written greetings and self-descriptions, ``copies`` times."""
    out: list[str] = []
    for _ in range(copies):
        pairs = [(rng.choice(asks), reply) for asks, reply in _SMALL_TALK]
        out.extend(conversations(rng.sample(pairs, len(pairs)), rng))
    return out
