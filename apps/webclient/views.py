"""Pages: the chat, and the forms before it. They work without JavaScript, except for the chat itself."""

import logging
from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.attempts import check_attempts, registration_limit
from apps.accounts.errors import AccountError, InvalidInputError, TooManyAttemptsError
from apps.accounts.models import User
from apps.accounts.services import (
    authenticate_user,
    ensure_session_device,
    log_in_session,
    log_out_session,
    register_user,
)
from apps.valkey.pools import ValkeyError
from apps.webclient.forms import AccountForm, LoginForm, RegistrationForm

logger = logging.getLogger(__name__)


@require_safe
@never_cache
@login_required
def show_chat(request: HttpRequest) -> HttpResponse:
    """The shell of the app, also of its page for invites; it tells the script who is logged in, and as which device."""
    try:
        device = ensure_session_device(request)
    except AccountError as error:
        return render(request, "webclient/refused.html", {"reason": error.message}, status=HTTPStatus.FORBIDDEN)
    session = {
        "user_id": device.user.pk,
        "device_id": device.pk,
        "username": device.user.username,
        "display_name": device.user.display_name,
        "avatar_color": device.user.avatar_color,
        "csrf_token": get_token(request),
    }
    return render(request, "webclient/chat.html", {"session": session})


@require_POST
@never_cache
def log_out(request: HttpRequest) -> HttpResponse:
    """End this login and remove its device."""
    log_out_session(request)
    return redirect("webclient:login")


@method_decorator([never_cache, sensitive_post_parameters("password", "confirm_password")], name="dispatch")
class AccountFormView(View):
    """A form at whose end a user is logged in; refusals of the services are shown in it."""

    form_class: type[AccountForm]
    template_name: str

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the empty form; who is logged in has no use for it."""
        if request.user.is_authenticated:
            return redirect(self._destination())
        return self._show(self.form_class())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Log in, or show the form again with what is wrong."""
        form = self.form_class(request.POST)
        if not form.is_valid():
            return self._show(form)
        try:
            log_in_session(request, self.find_user(request, form.cleaned_data))
        except InvalidInputError as error:
            form.add_field_errors(error.fields)
        except TooManyAttemptsError as error:
            form.add_error(None, error.message)
            response = self._show(form, HTTPStatus.TOO_MANY_REQUESTS)
            response["Retry-After"] = str(error.retry_after_seconds)
            return response
        except AccountError as error:
            form.add_error(None, error.message)
        except ValkeyError:
            logger.exception("Nobody can log in: the counters of attempts do not answer")
            form.add_error(None, "The server cannot do this at the moment. Try again in a minute.")
            return self._show(form, HTTPStatus.SERVICE_UNAVAILABLE)
        if form.errors:
            return self._show(form)
        return redirect(self._destination())

    def find_user(self, request: HttpRequest, fields: dict[str, Any]) -> User:
        """Who is to be logged in. Raises AccountError."""
        raise NotImplementedError

    def _destination(self) -> str:
        """Where to go afterwards: to the chat, or back to an invite; browsers keep the token behind its "#"."""
        join = reverse("webclient:join")
        return join if self.request.GET.get("next") == join else reverse("webclient:chat")

    def _show(self, form: AccountForm, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
        return render(self.request, self.template_name, {"form": form}, status=status)


class LoginView(AccountFormView):
    """`/login/`."""

    form_class = LoginForm
    template_name = "webclient/login.html"

    def find_user(self, request: HttpRequest, fields: dict[str, Any]) -> User:
        """Who has this name and password."""
        return authenticate_user(request, username=fields["username"], password=fields["password"])


class RegisterView(AccountFormView):
    """`/register/`."""

    form_class = RegistrationForm
    template_name = "webclient/register.html"

    def find_user(self, request: HttpRequest, fields: dict[str, Any]) -> User:
        """A new user of this name."""
        check_attempts(registration_limit(), request)
        return register_user(fields["username"], fields["password"], fields["display_name"])
