"""Paths of the admin's pages about servers; they stand before the admin's own."""

from django.urls import path

from apps.operations.admin_pages import dead_letters, live_figures

urlpatterns = [
    path("live-figures/", live_figures, name="live-figures"),
    path("dead-letters/", dead_letters, name="dead-letters"),
]
