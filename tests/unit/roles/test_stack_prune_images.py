"""An image stays as long as a release names it."""

from tests.unit.roles.conftest import module_of

prune = module_of("stack", "stack_prune_images")


def test_what_no_release_names_goes_and_what_is_not_ours_stays() -> None:
    listed = [
        "facefleet/logger:old",
        "facefleet/logger:new",
        "facefleet/broker:same",
        "facefleet/broker:<none>",
        "other/facefleet/logger:old",
        "registry:5000/facefleet/logger:old",
    ]
    composed = ["image: facefleet/logger:new\nimage: facefleet/broker:same", "image: facefleet/s3:gone"]
    assert prune.unneeded(listed, "facefleet", composed) == ["facefleet/logger:old"]
    assert prune.unneeded(listed, "facefleet", []) == sorted(listed[:3])
