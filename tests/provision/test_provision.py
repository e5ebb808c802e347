"""The life of a site on AWS, in order: refused, broken off at each step, made, kept, used, taken away."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from facefleet.depot.store import Store as Depot
from facefleet.gallery.bucket import Bucket as Gallery
from facefleet.processor.store import Bucket, MayPassError, Put
from facefleet.processor.verdict import Parcel
from facefleet.storage.put import Upload
from facefleet.storage.s3 import S3Settings
from facefleet.storage.trouble import AbsentError, UnreadableError

from tests.fleet.aws.account import REGION, REPO, AwsAccount
from tests.provision.belongings import count, instances
from tests.provision.site import BUCKET, HOST, NAME, Site
from tests.templates import CLOUD, rendered

pytestmark = pytest.mark.timeout(300)

READING = re.compile("[a-z0-9]+:(Describe|Get|List|Head)")
ROLES = CLOUD / "roles.ini.j2"
OPERATOR = REPO / "roles/aws_access/files/operator.json"
KMS_KEY = f"arn:aws:kms:{REGION}:123456789012:key/11111111-2222-3333-4444-555555555555"
ONE_OF_EACH = dict.fromkeys(
    ["VPC", "subnet", "gateway", "route table", "group", "key pair", "instance", "volume", "address",
     "profile", "bucket"], 1,
) | {"role": 3}  # fmt: skip
"""Of roles the host's, the gallery's and the depot's."""
NOTHING = dict.fromkeys(ONE_OF_EACH, 0)

NEWER_IMAGE = {
    "ami_id": "ami-0000000000000ffff", "name": "debian-13-amd64-20261124-2300", "owner_id": "136693071363",
    "public": True, "virtualization_type": "hvm", "architecture": "x86_64", "root_device_type": "ebs",
    "root_device_name": "/dev/xvda", "creation_date": "2026-11-24T06:00:00+00:00",
}  # fmt: skip


@pytest.fixture(scope="module")
def session(account: AwsAccount) -> boto3.Session:
    return account.session()


def changing(calls: list[str]) -> list[str]:
    """Return the calls that do not only look."""
    return [call for call in calls if not READING.match(call)]


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        (
            {"aws_firewall_device_cidrs": ["0.0.0.0/0"], "aws_firewall_operator_cidrs": ["128.0.0.0/1"]},
            "0.0.0.0/0, 128.0.0.0/1 opens the cloud host to the whole world",
        ),
        ({"aws_firewall_device_cidrs": ["192.0.2.300/24"]}, "write it as an IPv4 network"),
        (
            {"aws_instance_architecture": "arm64"},
            "t2.large is amd64, and aws_instance_architecture says arm64",
        ),
        ({"cloud_bucket": "Faces"}, "'Faces' is no name for a bucket on AWS"),
        ({"aws_bucket_kms_key": "alias/faces"}, "not an alias"),
        ({"aws_provide": ["bukket"]}, "any of network, firewall, bucket, access, instance"),
        ({"aws_region": "us-east-1", "aws_provide": ["instance"]}, "must say regions: [us-east-1]"),
    ],
    ids=["world", "no network", "architecture", "name", "alias", "thing", "region"],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    site: Site, variables: dict[str, Any], complaint: str
) -> None:
    about = next(iter(variables))
    only = [part for part in ("firewall", "instance", "bucket") if f"aws_{part}_" in about]
    outcome = site.provision(**{"aws_provide": only or ["bucket"], **variables})
    assert outcome.failed
    assert complaint in outcome.text
    assert changing(outcome.calls) == []


def test_check_mode_on_an_empty_account_tells_and_makes_nothing(site: Site, session: boto3.Session) -> None:
    outcome = site.provision(
        "--check",
        aws_instance_image="ubuntu",
        aws_instance_architecture="arm64",
        aws_instance_type="t4g.large",
        aws_firewall_device_cidrs=["0.0.0.0/0"],
        aws_firewall_allow_world=True,
    )
    assert not outcome.failed, outcome.output
    assert outcome.changed >= len(("VPC", "group", "bucket", "role", "profile", "key pair", "instance"))
    assert "ubuntu-noble-24.04-arm64-server-20261015" in outcome.text
    assert changing(outcome.calls) == []
    assert count(session) == NOTHING


# Each is carried out and never heard of: the worst moment, a rerun must find what is there.
BREAKS = {
    "network": ["CreateVpc", "CreateSubnet", "AttachInternetGateway", "CreateRoute"],
    "firewall": ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress"],
    "bucket": ["CreateBucket", "PutBucketPolicy"],
    "access": ["CreateRole", "CreateInstanceProfile", "AddRoleToInstanceProfile"],
    "instance": ["RunInstances", "AllocateAddress", "AssociateAddress"],
}  # fmt: skip


def found(session: boto3.Session, part: str) -> dict[str, str]:
    """Return what a part run alone must be told."""
    ec2 = session.client("ec2")
    if part not in {"firewall", "instance"}:
        return {}
    vpc = next(vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"])
    if part == "firewall":
        return {"aws_firewall_vpc_id": vpc}
    filters: Any = [{"Name": "vpc-id", "Values": [vpc]}]
    groups = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    return {
        "aws_instance_subnet_id": ec2.describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"],
        "aws_instance_group_id": next(each["GroupId"] for each in groups if each["GroupName"] == HOST),
    }


@pytest.mark.parametrize(
    ("part", "action"), [(part, action) for part, actions in BREAKS.items() for action in actions]
)
def test_a_step_breaks_off(
    site: Site, account: AwsAccount, session: boto3.Session, part: str, action: str
) -> None:
    """Only the part is run, for time's sake; the plain run below then finds what all these left."""
    account.fail(action, "after")
    outcome = site.provision(aws_provide=[part], **found(session, part))
    assert outcome.failed, outcome.output
    assert outcome.calls[-1].endswith(f":{action}")


def test_a_host_whose_keys_are_not_known_is_not_trusted(
    site: Site, account: AwsAccount, session: boto3.Session, host_key: Path
) -> None:
    account.show_on_consoles()
    outcome = site.provision(aws_provide=["instance"], **found(session, "instance"))
    account.show_on_consoles(host_key.read_text().strip())
    assert outcome.failed
    assert "shows no host keys yet" in outcome.text
    assert site.known_hosts == ""


def test_a_plain_run_makes_what_is_missing_and_nothing_twice(site: Site, session: boto3.Session) -> None:
    outcome = site.provision()
    assert not outcome.failed, outcome.output
    assert outcome.changed > 0
    assert count(session) == ONE_OF_EACH
    instance = instances(session)[0]
    assert f"host {HOST} {instance['InstanceId']}" in outcome.text
    assert instance["PublicIpAddress"] in outcome.text


def test_another_run_changes_nothing_although_a_newer_image_came(
    site: Site, account: AwsAccount, session: boto3.Session
) -> None:
    before = instances(session)
    account.publish(NEWER_IMAGE)
    outcome = site.provision()
    assert not outcome.failed, outcome.output
    assert outcome.changed == 0, outcome.output
    assert count(session) == ONE_OF_EACH
    assert [each["InstanceId"] for each in instances(session)] == [each["InstanceId"] for each in before]


def test_check_mode_on_what_is_made_reports_no_change(site: Site) -> None:
    outcome = site.provision("--check", "--diff")
    assert not outcome.failed, outcome.output
    assert outcome.changed == 0, outcome.output
    assert changing(outcome.calls) == []


def test_the_network_is_its_own_and_reaches_the_internet(session: boto3.Session) -> None:
    ec2 = session.client("ec2")
    instance = instances(session)[0]
    vpc = ec2.describe_vpcs(VpcIds=[instance["VpcId"]])["Vpcs"][0]
    assert not vpc["IsDefault"]
    gateway = ec2.describe_internet_gateways()["InternetGateways"][0]
    assert [each["VpcId"] for each in gateway["Attachments"]] == [vpc["VpcId"]]
    filters: Any = [{"Name": "association.subnet-id", "Values": [instance["SubnetId"]]}]
    (table,) = ec2.describe_route_tables(Filters=filters)["RouteTables"]
    ways = {route.get("DestinationCidrBlock"): route.get("GatewayId") for route in table["Routes"]}
    assert ways["0.0.0.0/0"] == gateway["InternetGatewayId"]


def test_only_the_named_networks_come_in(session: boto3.Session) -> None:
    instance = instances(session)[0]
    groups = [each["GroupId"] for each in instance["SecurityGroups"]]
    (group,) = session.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]
    opened = {
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], *(each["CidrIp"] for each in rule["IpRanges"]))
        for rule in group["IpPermissions"]
    }
    assert opened == {
        ("tcp", 8883, 8883, "192.0.2.0/24"),
        ("tcp", 8884, 8884, "192.0.2.0/24"),
        ("tcp", 22, 22, "198.51.100.7/32"),
    }
    for rule in group["IpPermissions"]:
        assert not rule.get("Ipv6Ranges")
        assert not rule.get("UserIdGroupPairs")


def test_the_instance_is_as_asked(session: boto3.Session) -> None:
    ec2 = session.client("ec2")
    instance = instances(session)[0]
    assert instance["InstanceType"] == "t2.large"
    image = ec2.describe_images(ImageIds=[instance["ImageId"]])["Images"][0]
    assert image["Name"] == "debian-13-amd64-20261020-2270"
    assert image["OwnerId"] == "136693071363"
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert instance["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{HOST}")
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert tags == {
        "Name": HOST,
        "facefleet:site": NAME,
        "facefleet:role": "cloud",
        "facefleet:user": "admin",
        "facefleet:image": "debian-13-amd64-20261020-2270",
    }
    (volume,) = ec2.describe_volumes()["Volumes"]
    assert (volume["VolumeType"], volume["Size"], volume["Encrypted"]) == ("gp3", 30, True)
    assert {tag["Key"]: tag["Value"] for tag in volume["Tags"]}["facefleet:site"] == NAME
    (address,) = ec2.describe_addresses()["Addresses"]
    assert address["InstanceId"] == instance["InstanceId"]
    assert {tag["Key"]: tag["Value"] for tag in address["Tags"]}["facefleet:site"] == NAME


def test_the_host_joins_the_inventory_with_its_pinned_key(
    site: Site, session: boto3.Session, host_key: Path
) -> None:
    found = site.inventory()
    assert found["cloud"]["hosts"] == [HOST]
    about = found["_meta"]["hostvars"][HOST]
    address = instances(session)[0]["PublicIpAddress"]
    assert address in str(about["ansible_host"])
    assert "admin" in str(about["ansible_user"])
    kind, key, _ = host_key.read_text().split(maxsplit=2)
    pinned = [line for line in site.known_hosts.splitlines() if not line.startswith("#")]
    assert pinned == [f"{address} {kind} {key}"]
    assert "known_hosts.txt" in about["ansible_ssh_common_args"]


def test_the_bucket_is_private_encrypted_versioned_and_forgets(session: boto3.Session) -> None:
    s3 = session.client("s3")
    closed = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}
    assert len(closed) == 4
    owner = s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
    assert owner == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    encryption = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rules: dict[str, Any] = {
        rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    }
    assert set(rules) == {
        "facefleet-housekeeping",
        "facefleet-releases",
        "facefleet-dead-letter",
        "facefleet-probes",
    }
    assert rules["facefleet-releases"]["Filter"] == {"Prefix": "releases/"}
    assert rules["facefleet-releases"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert "Expiration" not in rules["facefleet-releases"]
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
    house = rules["facefleet-housekeeping"]
    assert house["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert house["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert house["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    for prefix, days in (("dead-letter", 90), ("probes", 1)):
        assert rules[f"facefleet-{prefix}"]["Filter"] == {"Prefix": f"{prefix}/"}
        assert rules[f"facefleet-{prefix}"]["Expiration"]["Days"] == days


def test_the_bucket_refuses_what_does_not_come_over_tls(session: boto3.Session) -> None:
    s3 = session.client("s3")
    s3.put_object(Bucket=BUCKET, Key="faces/tls", Body=b"x")
    s3.meta.events.register(
        "before-send.s3", lambda request, **_: request.headers.update({"X-Forwarded-Proto": "http"})
    )
    for call in (
        lambda: s3.put_object(Bucket=BUCKET, Key="faces/plain", Body=b"x"),
        lambda: s3.get_object(Bucket=BUCKET, Key="faces/tls"),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "AccessDenied"


def findings(document: object) -> str:
    """Return what parliament dislikes about a policy."""
    command = [str(REPO / ".venv/bin/parliament"), "--json", "--string", json.dumps(document)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_the_role_may_put_under_the_prefixes_and_no_more(session: boto3.Session) -> None:
    iam = session.client("iam")
    assert iam.list_role_policies(RoleName=HOST)["PolicyNames"] == ["put", "take-on-gallery", "take-on-depot"]
    assert iam.list_attached_role_policies(RoleName=HOST)["AttachedPolicies"] == []
    trust: Any = iam.get_role(RoleName=HOST)["Role"]["AssumeRolePolicyDocument"]
    assert [each["Principal"] for each in trust["Statement"]] == [{"Service": "ec2.amazonaws.com"}]
    policy: Any = iam.get_role_policy(RoleName=HOST, PolicyName="put")["PolicyDocument"]
    (statement,) = policy["Statement"]
    assert statement["Action"] == "s3:PutObject"
    assert set(statement["Resource"]) == {
        f"arn:aws:s3:::{BUCKET}/{prefix}/*" for prefix in ("faces", "dead-letter", "probes")
    }
    assert findings(policy) == ""
    policy["Statement"][0]["Action"] = "s3:PutObjekt"
    assert "Unknown action" in findings(policy)


def test_the_gallery_s_role_may_read_faces_and_the_host_s_may_take_it_on(session: boto3.Session) -> None:
    iam = session.client("iam")
    reader: Any = iam.get_role(RoleName=f"{HOST}-gallery")["Role"]
    host: Any = iam.get_role(RoleName=HOST)["Role"]
    (trusted,) = reader["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"AWS": host["Arn"]}
    take_on: Any = iam.get_role_policy(RoleName=HOST, PolicyName="take-on-gallery")["PolicyDocument"]
    (statement,) = take_on["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("sts:AssumeRole", reader["Arn"])
    assert findings(take_on) == ""
    assert iam.list_role_policies(RoleName=f"{HOST}-gallery")["PolicyNames"] == ["read"]
    read: Any = iam.get_role_policy(RoleName=f"{HOST}-gallery", PolicyName="read")["PolicyDocument"]
    get, listing = read["Statement"]
    assert (get["Action"], get["Resource"]) == ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/faces/*")
    assert (listing["Action"], listing["Resource"]) == ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "faces/*"}}
    assert findings(read) == ""


@pytest.fixture
def on_the_instance(account: AwsAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let this process find its keys as one on the instance does: from the metadata service alone."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.url)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", account.url)


def parcel(key: str) -> Parcel:
    return Parcel(Upload(key, b"face", hashlib.sha256(b"face").digest(), "image/png", {"camera": "c"}), "d")


@pytest.mark.usefixtures("on_the_instance")
def test_the_processor_puts_with_the_keys_of_the_instance(session: boto3.Session) -> None:
    bucket = Bucket(S3Settings(bucket=BUCKET, s3_region=REGION))
    for key in ("faces/d/c/1.png", "dead-letter/d/1", "probes/d"):
        assert bucket.put(parcel(key)) is Put.STORED
        assert bucket.put(parcel(key)) is Put.ALREADY_THERE
    assert bucket.probe() is Put.STORED
    with pytest.raises(MayPassError, match="403 AccessDenied"):
        bucket.put(parcel("elsewhere/1.png"))
    wrong = Upload("faces/wrong", b"face", hashlib.sha256(b"other").digest(), "image/png", {})
    with pytest.raises(MayPassError, match="400 BadDigest"):
        bucket.put(Parcel(wrong, "d"))
    bucket.close()
    session.client("s3").create_bucket(
        Bucket="another", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    other = Bucket(S3Settings(bucket="another", s3_region=REGION))
    with pytest.raises(MayPassError, match="403 AccessDenied"):
        other.put(parcel("faces/1.png"))
    other.close()
    session.client("s3").delete_bucket(Bucket="another")
    stored = session.client("s3").get_object(Bucket=BUCKET, Key="faces/d/c/1.png")
    assert stored["Body"].read() == b"face"
    assert stored["Metadata"] == {"camera": "c"}


@pytest.mark.usefixtures("on_the_instance")
def test_the_gallery_reads_as_its_own_role(
    account: AwsAccount, session: boto3.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader: Any = session.client("iam").get_role(RoleName=f"{HOST}-gallery")["Role"]
    host = str(reader["Arn"]).removesuffix("-gallery")
    profile = {
        "cloud_s3_region": REGION,
        "cloud_host_role": host,
        "cloud_gallery_sts": "",
        "cloud_depot": False,
    }
    (tmp_path / "config").write_text(rendered(ROLES, **profile))
    monkeypatch.setenv("AWS_PROFILE", "gallery")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    bucket = Gallery(S3Settings(bucket=BUCKET, s3_region=REGION))
    assert "d" in bucket.folders("faces/")
    caller = boto3.Session(region_name=REGION).client("sts").get_caller_identity()["Arn"]
    assert f":assumed-role/{HOST}-gallery/" in caller
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    (tmp_path / "config").write_text(rendered(ROLES, **profile | {"cloud_gallery_sts": account.url}))
    elsewhere = Gallery(
        S3Settings.model_validate({"bucket": BUCKET, "s3_region": REGION, "s3_endpoint": account.url})
    )
    assert "d" in elsewhere.folders("faces/")


def test_the_depot_s_role_may_keep_releases_and_the_host_s_may_take_it_on(session: boto3.Session) -> None:
    iam = session.client("iam")
    keeper: Any = iam.get_role(RoleName=f"{HOST}-depot")["Role"]
    take_on: Any = iam.get_role_policy(RoleName=HOST, PolicyName="take-on-depot")["PolicyDocument"]
    assert take_on["Statement"][0]["Resource"] == keeper["Arn"]
    assert iam.list_role_policies(RoleName=f"{HOST}-depot")["PolicyNames"] == ["releases"]
    policy: Any = iam.get_role_policy(RoleName=f"{HOST}-depot", PolicyName="releases")["PolicyDocument"]
    keeping, listing = policy["Statement"]
    assert keeping["Resource"] == f"arn:aws:s3:::{BUCKET}/releases/*"
    assert listing["Resource"] == f"arn:aws:s3:::{BUCKET}"
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "releases/*"}}
    assert findings(policy) == ""


@pytest.mark.usefixtures("on_the_instance")
def test_the_depot_keeps_releases_as_its_own_role_and_reaches_no_faces(
    tmp_path: Path, session: boto3.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    role: Any = session.client("iam").get_role(RoleName=HOST)["Role"]
    operators = session.client("s3")
    profiles = {"cloud_s3_region": REGION, "cloud_host_role": role["Arn"], "cloud_gallery_sts": ""}
    (tmp_path / "config").write_text(rendered(ROLES, **profiles, cloud_depot=True))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "depot")
    caller = boto3.Session(region_name=REGION).client("sts").get_caller_identity()["Arn"]
    assert f":assumed-role/{HOST}-depot/" in caller
    store = Depot(S3Settings(bucket=BUCKET, s3_region=REGION))
    store.write("releases/news", b"1")
    store.write("releases/news", b"2")
    document = store.read("releases/news")
    store.replace("releases/news", b"3", document)
    assert [each.key for each in store.listing("releases/")] == ["releases/news"]
    with pytest.raises(AbsentError):
        store.read("releases/none")
    store.erase("releases/news")
    assert list(store.listing("releases/")) == []
    versions = operators.list_object_versions(Bucket=BUCKET, Prefix="releases/")
    assert (versions.get("Versions", []), versions.get("DeleteMarkers", [])) == ([], [])
    refused: list[Any] = [
        lambda: store.read("faces/d/c/1.png"),
        lambda: store.write("faces/d/c/1.png", b"x"),
        lambda: boto3.Session(region_name=REGION).client("iam").list_users(),
    ]
    for call in refused:
        with pytest.raises((UnreadableError, ClientError), match="AccessDenied"):
            call()


@pytest.mark.usefixtures("on_the_instance")
def test_the_keys_of_the_instance_do_nothing_else() -> None:
    here = boto3.Session(region_name=REGION)
    s3, iam, ec2 = here.client("s3"), here.client("iam"), here.client("ec2")
    assert f":assumed-role/{HOST}/" in here.client("sts").get_caller_identity()["Arn"]
    key: dict[str, Any] = {"Bucket": BUCKET, "Key": "faces/tls"}
    refused: list[Any] = [
        lambda: s3.get_object(**key),
        lambda: s3.delete_object(**key),
        lambda: s3.put_object_acl(ACL="public-read", **key),
        lambda: s3.list_objects_v2(Bucket=BUCKET),
        s3.list_buckets,
        lambda: s3.put_bucket_policy(Bucket=BUCKET, Policy="{}"),
        lambda: s3.delete_bucket(Bucket=BUCKET),
        iam.list_users,
        lambda: iam.create_access_key(UserName="operator"),
        ec2.describe_instances,
        lambda: ec2.terminate_instances(InstanceIds=["i-1"]),
    ]
    for call in refused:
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] in {"AccessDenied", "UnauthorizedOperation"}, error.value


def test_a_kms_key_encrypts_and_the_role_may_ask_it(site: Site, session: boto3.Session) -> None:
    outcome = site.provision(
        site_name="quay", cloud_bucket="quay-faces", aws_bucket_kms_key=KMS_KEY, aws_bucket_faces_days=30,
        aws_provide=["bucket", "access"],
    )  # fmt: skip
    assert not outcome.failed, outcome.output
    s3 = session.client("s3")
    rules = s3.get_bucket_encryption(Bucket="quay-faces")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": KMS_KEY,
    }
    lifecycle: list[Any] = s3.get_bucket_lifecycle_configuration(Bucket="quay-faces")["Rules"]
    assert [rule["Expiration"]["Days"] for rule in lifecycle if rule["ID"] == "facefleet-faces"] == [30]
    policy: Any = session.client("iam").get_role_policy(RoleName="facefleet-quay", PolicyName="put")
    document = policy["PolicyDocument"]
    assert [each["Action"] for each in document["Statement"]] == ["s3:PutObject", "kms:GenerateDataKey"]
    assert document["Statement"][1]["Resource"] == KMS_KEY
    assert findings(document) == ""


def test_a_bucket_in_other_use_is_refused(site: Site, session: boto3.Session) -> None:
    s3 = session.client("s3")
    s3.create_bucket(Bucket="holiday", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="holiday", Key="faces/family.jpg", Body=b"x")
    outcome = site.provision(cloud_bucket="holiday", aws_provide=["bucket"])
    assert outcome.failed
    assert "The bucket holiday is there, holds objects, and does not carry the tag" in outcome.text
    with pytest.raises(ClientError):
        s3.get_bucket_policy(Bucket="holiday")


def test_without_a_yes_nothing_goes(site: Site, session: boto3.Session) -> None:
    instance = instances(session)[0]
    outcome = site.unprovision(teardown_confirmed=False)
    assert outcome.failed
    assert "Nothing was removed" in outcome.text
    for part in (
        instance["InstanceId"],
        instance["VpcId"],
        instance["PublicIpAddress"],
        "key pair",
        "role arn",
    ):
        assert part in outcome.text, part
    assert f"The bucket stays: -e teardown_bucket={BUCKET} takes it too" in outcome.text
    assert changing(outcome.calls) == []


def test_unprovisioning_takes_all_but_the_bucket(site: Site, session: boto3.Session) -> None:
    outcome = site.unprovision()
    assert not outcome.failed, outcome.output
    assert count(session) == {**NOTHING, "bucket": 1}
    assert site.known_hosts.strip() == ""
    assert session.client("s3").get_object(Bucket=BUCKET, Key="faces/tls")["Body"].read() == b"x"


def test_a_bucket_of_somebody_else_is_not_deleted(site: Site, session: boto3.Session) -> None:
    outcome = site.unprovision(teardown_bucket="holiday")
    assert outcome.failed
    assert "The bucket holiday does not carry the tag" in outcome.text
    found = session.client("s3").get_object(Bucket="holiday", Key="faces/family.jpg")
    assert found["Body"].read() == b"x"


def test_the_bucket_goes_when_it_is_named_and_then_nothing_is_left(
    site: Site, session: boto3.Session
) -> None:
    s3 = session.client("s3")
    s3.put_object(Bucket=BUCKET, Key="faces/tls", Body=b"second version")
    s3.delete_object(Bucket=BUCKET, Key="faces/tls")
    outcome = site.unprovision(teardown_bucket=BUCKET)
    assert not outcome.failed, outcome.output
    assert count(session) == NOTHING


def test_the_operator_needs_no_more_rights_than_are_written_down(site: Site) -> None:
    """What all these runs called; S3's rights have other names than its calls."""
    document = json.loads(OPERATOR.read_text())
    disliked = {json.loads(line)["issue"] for line in findings(document).splitlines()}
    # EC2 knows no names beforehand, and who sets a bucket's policy can have what is in it.
    assert disliked <= {"RESOURCE_STAR", "RESOURCE_POLICY_PRIVILEGE_ESCALATION"}
    allowed = [action for statement in document["Statement"] for action in statement["Action"]]
    pattern = re.compile("|".join(re.escape(action).replace(r"\*", ".*") for action in allowed))
    asked = {call for call in site.calls if call.startswith(("ec2:", "iam:"))}
    assert {"ec2:RunInstances", "iam:CreateRole", "ec2:TerminateInstances"} <= asked
    assert sorted(call for call in asked if not pattern.fullmatch(call)) == []


def test_the_module_takes_the_keys_of_the_last_boot() -> None:
    """The module is a script of its own; it is run as Ansible would load it."""
    program = (
        "import sys; sys.path.insert(0, 'roles/aws_instance/library')\n"
        "from instance_host_keys import keys_in\n"
        "block = '-----BEGIN SSH HOST KEY KEYS-----\\n{}\\n-----END SSH HOST KEY KEYS-----\\n'\n"
        "old = 'ssh-ed25519 AAAAold= root@a'\n"
        "new = 'noise\\r\\nssh-ed25519 AAAAnew root@b\\r\\nssh-dss AAAA= x'\n"
        "assert keys_in(block.format(old) + block.format(new)) == ['ssh-ed25519 AAAAnew']\n"
        "assert keys_in('') == keys_in(block.format(old)[:-9]) == []\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPO, check=True, timeout=30)
