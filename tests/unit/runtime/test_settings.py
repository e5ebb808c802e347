"""Settings are right, or a line for each that is not names the variable and the remedy."""

import pytest
from facefleet.forwarder.settings import ForwarderSettings
from facefleet.logger.service import LoggerSettings
from facefleet.processor.settings import ProcessorSettings
from facefleet.runtime.settings import SettingsError, load

GOOD = {
    "FACEFLEET_BROKER": "mqtt://edge-broker:1883",
    "FACEFLEET_CLOUD_BROKER": "mqtt://cloud-broker",
    "FACEFLEET_DEVICE": "jetson-01",
}
GOOD_PROCESSOR = {"FACEFLEET_BROKER": "mqtt://cloud-broker:1883", "FACEFLEET_BUCKET": "faces"}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(ForwarderSettings, environ)
    return raised.value.problems


def test_what_is_not_said_has_its_default() -> None:
    settings = load(ForwarderSettings, GOOD)
    assert (settings.qos, settings.topic_prefix, settings.log_level) == (1, "face_detection", "info")
    assert (settings.broker.host, settings.broker.port) == ("edge-broker", 1883)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_qos_is_read_from_text(qos: int) -> None:
    assert load(ForwarderSettings, GOOD | {"FACEFLEET_QOS": str(qos)}).qos == qos


@pytest.mark.parametrize("qos", ["3", "-1", "one", "", "1.0"])
def test_there_is_no_other_qos(qos: str) -> None:
    (problem,) = problems(GOOD | {"FACEFLEET_QOS": qos})
    assert problem.startswith(f"FACEFLEET_QOS={qos!r} is impossible: ")


def test_a_misspelt_setting_is_answered_with_the_right_one() -> None:
    assert problems(GOOD | {"FACEFLEET_TOPIC_PREFX": "faces"}) == [
        "FACEFLEET_TOPIC_PREFX is not a setting of this service: did you mean FACEFLEET_TOPIC_PREFIX?"
    ]


def test_a_setting_unlike_any_other_is_to_be_removed() -> None:
    assert problems(GOOD | {"FACEFLEET_XYZZY": "1"}) == [
        "FACEFLEET_XYZZY is not a setting of this service: remove it"
    ]


def test_a_missing_setting_is_named() -> None:
    environ = dict(GOOD)
    del environ["FACEFLEET_CLOUD_BROKER"]
    assert problems(environ) == ["FACEFLEET_CLOUD_BROKER is missing: set it"]


def test_every_problem_is_said_at_once() -> None:
    found = problems(
        {"FACEFLEET_BROKER": "mqtt://edge", "FACEFLEET_QOS": "9", "FACEFLEET_DEVISE": "jetson-01"}
    )
    assert sorted(line.split("=")[0].split(" ")[0] for line in found) == [
        "FACEFLEET_CLOUD_BROKER",
        "FACEFLEET_DEVICE",
        "FACEFLEET_DEVISE",
        "FACEFLEET_QOS",
    ]


def test_variables_of_others_are_left_alone() -> None:
    assert load(ForwarderSettings, GOOD | {"PATH": "/bin", "AWS_REGION": "eu-west-1"}).device == "jetson-01"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FACEFLEET_BROKER", "http://edge-broker:1883"),
        ("FACEFLEET_BROKER", "edge-broker"),
        ("FACEFLEET_BROKER", "mqtt://"),
        ("FACEFLEET_BROKER", "mqtt://edge-broker:99999"),
        ("FACEFLEET_DEVICE", "Jetson 01"),
        ("FACEFLEET_DEVICE", "jetson/01"),
        ("FACEFLEET_TOPIC_PREFIX", "a/b"),
        ("FACEFLEET_TOPIC_PREFIX", "+"),
        ("FACEFLEET_LOG_LEVEL", "loud"),
        ("FACEFLEET_WINDOW", "0"),
        ("FACEFLEET_WINDOW", "many"),
        ("FACEFLEET_RECEIPT_TIMEOUT_S", "0"),
        ("FACEFLEET_RECEIPT_TIMEOUT_S", "nan"),
        ("FACEFLEET_METRICS_PORT", "70000"),
    ],
)
def test_an_impossible_value_is_named_with_its_variable(variable: str, value: str) -> None:
    (problem,) = problems(GOOD | {variable: value})
    assert problem.startswith(f"{variable}={value!r} is impossible: ")
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FACEFLEET_BUCKET", "No_Bucket"),
        ("FACEFLEET_S3_ENDPOINT", "cloud-s3:8333"),
        ("FACEFLEET_PUTS_AT_ONCE", "0"),
        ("FACEFLEET_IMAGE_MAX_BYTES", "12"),
        ("FACEFLEET_ENCRYPTION", "rot13"),
    ],
)
def test_an_impossible_value_of_the_processor_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(ProcessorSettings, GOOD_PROCESSOR | {variable: value})
    (problem,) = raised.value.problems
    assert problem.startswith(f"{variable}={value!r} is impossible: ")


def test_a_setting_of_another_service_is_refused() -> None:
    with pytest.raises(SettingsError, match="FACEFLEET_BUCKET is not a setting of this service"):
        load(LoggerSettings, {**GOOD_PROCESSOR, "FACEFLEET_DEVICE": "jetson-01"})
