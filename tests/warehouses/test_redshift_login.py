"""Logging in to Redshift: with a password, or with one that AWS gives for some minutes."""

import traceback
from collections.abc import Iterator

import pytest

from tests.servers import Database
from tests.servers.aws import AwsLogins
from tests.servers.redshift import RedshiftStandIn
from tests.servers.s3 import S3Server
from tests.warehouses.bench import Bench, at, rows
from tests.warehouses.conftest import redshift_bench
from wmtui.config import IamLogin
from wmtui.errors import WarehouseError
from wmtui.model import Level

PASSWORD = "short-lived/+=secret"


@pytest.fixture
def aws(pg_db: Database) -> Iterator[AwsLogins]:
    """AWS, and the user it names."""
    user = f"IAM:{pg_db.name}"
    pg_db.execute(f"CREATE ROLE \"{user}\" LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    with AwsLogins(user, PASSWORD) as made:
        yield made
    pg_db.execute(f'REASSIGN OWNED BY "{user}" TO CURRENT_USER', f'DROP ROLE "{user}"')


def bench_by(stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server, user: str, login: IamLogin) -> Bench:
    return redshift_bench(stand_in, pg_db, s3, user=user, password=None, iam_login=login)


@pytest.mark.parametrize("kind", ["cluster", "workgroup"])
def test_a_login_that_aws_gives_is_used_for_minutes(
    stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server, aws: AwsLogins, kind: str
) -> None:
    login = IamLogin(**{kind: "analytics"}, endpoint_url=aws.endpoint_url)
    bench = bench_by(stand_in, pg_db, s3, "etl" if kind == "cluster" else "", login)
    bench.load(rows((1, at(1), "a")))
    assert bench.row_count("orders") == 1
    if kind == "cluster":
        (asked,) = aws.requests
        assert asked["Action"] == "GetClusterCredentials"
        assert (asked["ClusterIdentifier"], asked["DbUser"], asked["DbName"]) == ("analytics", "etl", pg_db.name)
        assert asked["AutoCreate"] == "false"
    else:
        (asked,) = aws.requests
        assert asked["Action"] == "GetCredentials"
        assert (asked["workgroupName"], asked["dbName"]) == ("analytics", pg_db.name)


def test_a_login_that_aws_refuses_is_told_with_what_to_allow(
    stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server, aws: AwsLogins
) -> None:
    aws.denied = True
    bench = bench_by(stand_in, pg_db, s3, "etl", IamLogin(cluster="analytics", endpoint_url=aws.endpoint_url))
    with pytest.raises(WarehouseError, match="AWS gives no login to analytics") as failure:
        bench.load(rows((1, at(1), "a")))
    assert "redshift:GetClusterCredentials" in failure.value.next_step
    (check,) = bench.warehouse.check()
    assert check.level is Level.ERROR


def test_a_password_that_aws_gave_is_told_to_nobody(
    stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server, aws: AwsLogins
) -> None:
    aws.user = "IAM:nobody"
    bench = bench_by(stand_in, pg_db, s3, "etl", IamLogin(cluster="analytics", endpoint_url=aws.endpoint_url))
    with pytest.raises(WarehouseError) as failure:
        bench.load(rows((1, at(1), "a")))
    assert PASSWORD not in "".join(traceback.format_exception(failure.value))


@pytest.mark.parametrize("tls", ["verify", "require"])
def test_a_server_without_tls_is_given_no_password_unless_tls_is_disabled(
    stand_in: RedshiftStandIn, pg_db: Database, s3: S3Server, tls: str
) -> None:
    with pytest.raises(WarehouseError, match="does not support SSL") as failure:
        redshift_bench(stand_in, pg_db, s3, tls=tls).warehouse.describe("orders")
    assert "tls: disable" in failure.value.next_step
    assert stand_in.statements == []
