"""No secret survives in what goes to a support case, and what is none does."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.unit.roles.plugins import plugin

redaction = plugin("logs/module_utils/logs_redaction.py")
Redaction = redaction.Redaction

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
VISIBLE = st.characters(
    min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\"'\x7f\\", exclude_categories=("Z", "C")
)
secrets = st.text(VISIBLE, min_size=4, max_size=60)

PLACES = [
    "cannot open rtsp://admin:{}@10.0.0.7:554/stream1, trying again",
    "rtsp://:{}@camera/",
    "source=rtsp://user:{}@cam reason=refused",
    "at=x level=info password={}",
    "PASSWORD: {} and more",
    'said {{"password": "{}", "n": 1}}',
    '{{"secretKey":"{}"}}',
    "aws_secret_access_key = {}",
    "AWS_SESSION_TOKEN={}",
    "db_passwd='{}' user=x",
    "passphrase=>{}",
    'broken {{"token": "{}',
    "mosquitto_sub --password {} -t x",
    "Authorization: Bearer {}",
    "http header authorization=AWS4-HMAC-SHA256 Credential=me, Signature={}",
    "GET /cgi?user=admin&pwd={}",
    'msg="he said \\"api_key\\": \\"{}\\" twice"',
]


@pytest.mark.parametrize("place", PLACES)
@given(secret=secrets)
@example(secret="p@ss:w/rd@x")
@example(secret="====")
def test_no_secret_survives_in_its_place(place: str, secret: str) -> None:
    empty = Redaction().line(place.format(""))
    assume(secret not in empty and secret not in "***@" and secret not in place)
    assert secret not in Redaction().line(place.format(secret))


@given(
    before=st.text(max_size=20), secret=st.text(VISIBLE, min_size=6, max_size=80), after=st.text(max_size=20)
)
def test_what_is_known_survives_nowhere(before: str, secret: str, after: str) -> None:
    assume(set(secret) != {"*"})
    assert secret not in Redaction(frozenset([secret])).line(before + secret + after)


@given(secret=st.text(BASE64, min_size=40, max_size=40), around=st.sampled_from([" {} ", "key:{},", "[{}]"]))
def test_what_looks_like_a_secret_key_of_aws_goes(secret: str, around: str) -> None:
    assume(not set(secret) <= set("0123456789abcdef"))
    assert secret not in Redaction().line(around.format(secret))


@given(tail=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=16))
def test_what_looks_like_an_access_key_of_aws_goes(tail: str) -> None:
    assert tail not in Redaction().line(f"signed by AKIA{tail}/20261125")


@given(
    lines=st.lists(st.text(BASE64, min_size=10, max_size=64), min_size=1, max_size=30),
    kind=st.sampled_from(["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "]),
)
def test_a_private_key_goes_whole_and_what_follows_stays(lines: list[str], kind: str) -> None:
    taken = Redaction()
    text = [f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY----- ok", "after"]
    said = [taken.line(line) for line in text]
    assert said[-2:] == ["*** ok", "after"]
    assert not any(line in each for line in lines for each in said)
    assert Redaction().line("x " + "\\n".join(text[:-1])) == "x *** ok"


def test_a_key_without_its_end_does_not_hide_all_that_follows() -> None:
    taken = Redaction()
    taken.line("-----BEGIN PRIVATE KEY-----")
    said = [taken.line(f"line {number}") for number in range(redaction.KEY_LINES_MOST + 2)]
    assert said[-1].startswith("line")


def test_the_middle_of_a_key_goes() -> None:
    assert Redaction().line("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2") == "***"


@pytest.mark.parametrize(
    "line",
    [
        "at=2026-11-25T17:00:00Z level=info service=processor key=faces/jetson-07/lobby/2026/11/25/x-0a.png",
        "connected to mqtts://cloud.example.com:8883 as jetson-07",
        "source=rtsp://admin@cam/stream tries=3",
        "image sha256:77e0c2b19a4577e0c2b19a4577e0c2b19a4577e0c2b19a4577e0c2b19a4577e0 pulled",
        "commit 8f2383e4dd3cfbb4553ea8718107fc0423210dc9",
        "id=e19a5bef28c64d34b6f7cccf6de5e5a4 track=1 score=0.938 box=316,66,203,288",
        "the probe passed: 3 of 3",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert Redaction(frozenset(["short", "other-secret"])).line(line) == line


def test_secrets_of_a_host_are_found_in_its_files() -> None:
    assert redaction.passwords_in("a: rtsp://u:p%40ssword1@h/x\nb: mqtt://h:1\n") == {"p%40ssword1"}
    assert Redaction(frozenset(["p%40ssword1"])).line("camera says p@ssword1") == "camera says ***"
    file = "[default]\naws_access_key_id = eraser\naws_secret_access_key = " + "ab12" * 16
    assert redaction.words_of_a_secret(file) == {"ab12" * 16}


def test_a_long_line_takes_no_time() -> None:
    assert len(Redaction().line("pass_secret-token" * 20_000)) > 0
