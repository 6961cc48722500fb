"""People for tests: accounts made in bulk, and the REST calls by which a person gets in and out."""

import secrets

import httpx

from tests.client.options import Account
from tests.client.site import Site

PASSWORD = "correct horse battery staple"
BATCH = 40


class AccountPool:
    """Accounts that nobody has used yet; made in batches, since each batch starts an interpreter."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._fresh: list[Account] = []

    def take(self, count: int) -> list[Account]:
        """Give `count` accounts that nobody was given before."""
        if len(self._fresh) < count:
            self._fresh += self._site.add_users(max(BATCH, count))
        taken, self._fresh = self._fresh[:count], self._fresh[count:]
        return taken


class Person:
    """A registered person with a password, and the REST calls as one of their devices."""

    def __init__(self, site: Site, username: str, account: Account) -> None:
        self.username = username
        self.account = account
        self.user_id = account.user_id
        self._site = site

    @classmethod
    def register(cls, site: Site) -> "Person":
        """A new person with one device. Raises httpx.HTTPStatusError when the server refuses."""
        username = f"person-{secrets.token_hex(4)}"
        return cls(site, username, _post_credentials(site, "register", username))

    def log_in(self) -> Account:
        """One more device of this person."""
        return _post_credentials(self._site, "login", self.username)

    def log_out(self, device: Account) -> None:
        """Remove the device."""
        self.post("auth/logout", {}, device)

    def change_password(self, device: Account, password: str) -> Account:
        """A new password, asked for by `device`; gives that device with its new token."""
        row = self.post("auth/password", {"old_password": PASSWORD, "new_password": password}, device).json()
        return Account(user_id=row["user_id"], device_id=row["device_id"], token=row["token"], username=self.username)

    def block(self, user_id: str) -> None:
        """Block another user."""
        self.post("blocks", {"user_id": user_id}, self.account)

    def get_ticket(self) -> str:
        """A one-time ticket for a socket."""
        return str(self.post("auth/ticket", {}, self.account).json()["ticket"])

    def post(self, path: str, body: dict[str, str], device: Account) -> httpx.Response:
        """POST as `device`; raises httpx.HTTPStatusError when the server refuses."""
        headers = {"Authorization": f"Token {device.token}"}
        return _post(self._site, path, body, headers)

    def open_browser_session(self) -> str:
        """Log in on the web page and give the session cookie's value."""
        with httpx.Client(base_url=self._site.base_url, timeout=30, verify=self._site.verify) as browser:
            browser.get("/login/").raise_for_status()
            form = {
                "username": self.username,
                "password": PASSWORD,
                "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            }
            # As browsers do; over TLS Django wants to know the page that a form came from.
            answer = browser.post("/login/", data=form, headers={"Origin": self._site.base_url})
            if answer.status_code != httpx.codes.FOUND:
                raise RuntimeError(f"the log-in page answered {answer.status_code}: {answer.text[:500]}")
            return browser.cookies["sessionid"]


def _post_credentials(site: Site, path: str, username: str) -> Account:
    body = {"username": username, "password": PASSWORD, "device_name": "test"}
    row = _post(site, f"auth/{path}", body, {}).json()
    return Account(user_id=row["user_id"], device_id=row["device_id"], token=row["token"], username=username)


def _post(site: Site, path: str, body: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    answer = httpx.post(f"{site.base_url}/api/{path}", json=body, headers=headers, timeout=30, verify=site.verify)
    return answer.raise_for_status()
