"""The pages of the embedded Label Studio: its own, but for the one that asks GitHub for tips."""

from core.urls import urlpatterns as theirs  # type: ignore[import-not-found]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-not-found]
from django.urls import path  # type: ignore[import-not-found]


def no_tips(_: HttpRequest) -> HttpResponse:
    """Say that there are none; the page then shows those that came with it."""
    return HttpResponse(status=404)


urlpatterns = [path("heidi-tips/", no_tips), *theirs]
