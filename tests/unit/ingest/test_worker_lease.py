"""Worker numbers: no two holders at once."""

import datetime

import pytest
from django.utils import timezone

from apps.ingest.models import WorkerLease
from apps.ingest.worker_lease import NoWorkerNumber, lease_worker, release_worker, renew_worker


@pytest.mark.django_db
def test_two_gateways_get_two_numbers() -> None:
    assert lease_worker("gw-a") != lease_worker("gw-b")


@pytest.mark.django_db
def test_a_number_whose_lease_ran_out_is_given_to_the_next_and_lost_to_the_first() -> None:
    number = lease_worker("gw-a")
    WorkerLease.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert lease_worker("gw-b") == number
    assert not renew_worker(number, "gw-a")
    assert renew_worker(number, "gw-b")


@pytest.mark.django_db
def test_a_released_number_is_not_given_out_while_its_ids_could_repeat() -> None:
    number = lease_worker("gw-a")
    release_worker(number, "gw-a")
    assert lease_worker("gw-b") != number


@pytest.mark.django_db
def test_when_all_numbers_are_leased_the_next_gets_a_clear_error() -> None:
    later = timezone.now() + datetime.timedelta(hours=1)
    WorkerLease.objects.bulk_create(
        WorkerLease(worker_id=number, holder="x", expires_at=later) for number in range(1024)
    )
    with pytest.raises(NoWorkerNumber, match="1024"):
        lease_worker("gw-a")
