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
def test_a_lease_is_not_shortened_when_the_clock_has_stepped_back_for_ids_of_the_future_were_issued() -> None:
    number = lease_worker("gw-a")
    by_the_wrong_clock = timezone.now() + datetime.timedelta(hours=5)
    WorkerLease.objects.update(expires_at=by_the_wrong_clock)
    assert not renew_worker(number, "gw-a")
    assert WorkerLease.objects.get(pk=number).expires_at == by_the_wrong_clock
    assert lease_worker("gw-a") != number


@pytest.mark.django_db
def test_when_all_numbers_are_leased_the_next_gets_a_clear_error() -> None:
    later = timezone.now() + datetime.timedelta(hours=1)
    WorkerLease.objects.bulk_create(
        WorkerLease(worker_id=number, holder="x", expires_at=later) for number in range(1024)
    )
    with pytest.raises(NoWorkerNumber, match="1024"):
        lease_worker("gw-a")
