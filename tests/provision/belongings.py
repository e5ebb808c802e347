"""What an account holds for a site, as the API tells."""

from typing import Any

import boto3

from tests.provision.site import BUCKET, HOST, NAME

FILTERS: Any = [{"Name": "tag:facefleet:site", "Values": [NAME]}]
ALIVE: Any = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]


def instances(session: boto3.Session) -> list[Any]:
    """Return all instances that are not terminated, whatever their tags."""
    found = session.client("ec2").describe_instances(Filters=ALIVE)["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


def count(session: boto3.Session) -> dict[str, int]:
    """Return how much there is of everything; without what a new account has by itself."""
    ec2, iam = session.client("ec2"), session.client("iam")
    gateways = ec2.describe_internet_gateways()["InternetGateways"]
    groups = ec2.describe_security_groups()["SecurityGroups"]
    profiles = iam.list_instance_profiles()["InstanceProfiles"]
    return {
        "VPC": len([vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]),
        "subnet": len([subnet for subnet in ec2.describe_subnets()["Subnets"] if not subnet["DefaultForAz"]]),
        "gateway": len(gateways),
        "route table": len(ec2.describe_route_tables(Filters=FILTERS)["RouteTables"]),
        "group": len([group for group in groups if group["GroupName"] != "default"]),
        "key pair": len(ec2.describe_key_pairs()["KeyPairs"]),
        "instance": len(instances(session)),
        "volume": len(ec2.describe_volumes()["Volumes"]),
        "address": len(ec2.describe_addresses()["Addresses"]),
        "role": len([role for role in iam.list_roles()["Roles"] if role["RoleName"].startswith(HOST)]),
        "profile": len([each for each in profiles if each["InstanceProfileName"] == HOST]),
        "bucket": len(
            [each for each in session.client("s3").list_buckets()["Buckets"] if each["Name"] == BUCKET]
        ),
    }
