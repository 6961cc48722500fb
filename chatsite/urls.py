"""Which package answers which path."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/", include("apps.api.urls")),
    path("admin/", include("apps.operations.admin_urls")),
    path("admin/", admin.site.urls),
    path("", include("apps.operations.urls")),
    path("", include("apps.webclient.urls")),
]

handler400 = "apps.api.fallbacks.bad_request"
handler500 = "apps.api.fallbacks.server_error"
