"""Settings of the whole site, read from the environment (`.env` is read too).

Every variable stands with its default in `.env.example`. This is the one module that names adapters.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.schedules import schedule
from corsheaders.defaults import default_headers as default_cors_headers
from django.templatetags.static import static

from chatsite.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(BASE_DIR / ".env")

# --- The site ---------------------------------------------------------------------------------------------------
DEBUG = env.boolean("DEBUG", False)
CHAT_HOST = env.text("CHAT_HOST", "127.0.0.1")
CHAT_PORT = env.port("CHAT_PORT", 8000)
CHAT_DATA_DIR = env.data_dir("CHAT_DATA_DIR", BASE_DIR / "var")
SECRET_KEY = env.secret_key("SECRET_KEY", CHAT_DATA_DIR)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS", [])
CORS_ALLOWED_ORIGINS = env.names("CORS_ALLOWED_ORIGINS", [])
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOG_FORMAT = env.choice("LOG_FORMAT", "text", ["text", "json"])

# --- Servers: an address that is absent means the embedded one in the data folder ---------------------------------
REDIS_URL = env.valkey_url("REDIS_URL", CHAT_DATA_DIR, "cache")
INBOX_REDIS_URL = env.valkey_cluster_url_or("INBOX_REDIS_URL", REDIS_URL)
CHANNEL_LAYER_URL = env.valkey_url_or("CHANNEL_LAYER_URL", REDIS_URL)
CELERY_BROKER_URL = env.broker_url("CELERY_BROKER_URL", REDIS_URL)
EVENT_LOG_URL = env.event_log_url("EVENT_LOG_URL", CHAT_DATA_DIR)
ON_KAFKA = EVENT_LOG_URL.startswith("kafka://")
LOG_PARTITIONS = env.integer("LOG_PARTITIONS", 96 if ON_KAFKA else 12, minimum=1, maximum=1_000)
LOG_REPLICATION_FACTOR = env.optional_integer("LOG_REPLICATION_FACTOR", minimum=1)
LOG_MIN_INSYNC_REPLICAS = env.optional_integer("LOG_MIN_INSYNC_REPLICAS", minimum=1)
MESSAGE_LOG_CLASS = (
    "apps.messagelog.kafka.KafkaMessageLog" if ON_KAFKA else "apps.messagelog.valkey_streams.ValkeyStreamsMessageLog"
)
MESSAGE_STORE_URL = env.message_store_url("MESSAGE_STORE_URL")
ON_MONGODB = MESSAGE_STORE_URL.startswith("mongodb")
MESSAGE_STORE_CLASS = (
    "apps.messagestore.mongo.MongoMessageStore" if ON_MONGODB else "apps.messagestore.orm.OrmMessageStore"
)
DATABASES: dict[str, dict[str, Any]] = {"default": env.database("DATABASE_URL", CHAT_DATA_DIR / "users.sqlite3")}
if not ON_MONGODB:
    DATABASES["messages"] = env.message_database("DATABASE_URL", CHAT_DATA_DIR / "messages.sqlite3")
if (replica := env.optional_database("DATABASE_REPLICA_URL")) is not None:
    DATABASES["replica"] = replica
DATABASE_ROUTERS = ["apps.messagestore.router.MessageStoreRouter"]

# --- Operations ---------------------------------------------------------------------------------------------------
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
METRICS_PORT = env.integer("METRICS_PORT", 0, minimum=0, maximum=65_535)

# --- Delivery ----------------------------------------------------------------------------------------------------
RATE_LIMIT_PER_MINUTE = env.integer("RATE_LIMIT_PER_MINUTE", 60, minimum=0)
CONNECTIONS_PER_MINUTE_PER_ADDRESS = env.integer("CONNECTIONS_PER_MINUTE_PER_ADDRESS", 300, minimum=0)
CONNECTIONS_PER_MINUTE_PER_USER = env.integer("CONNECTIONS_PER_MINUTE_PER_USER", 120, minimum=0)
REGISTRATIONS_PER_MINUTE_PER_ADDRESS = env.integer("REGISTRATIONS_PER_MINUTE_PER_ADDRESS", 60, minimum=0)
LOGINS_PER_MINUTE_PER_ADDRESS = env.integer("LOGINS_PER_MINUTE_PER_ADDRESS", 120, minimum=0)
STEADY_MESSAGES_PER_SECOND = env.integer("STEADY_MESSAGES_PER_SECOND", 0, minimum=0)
API_CALLS_PER_MINUTE = env.integer("API_CALLS_PER_MINUTE", 600, minimum=0)
DELIVERY_TIMEOUT_SECONDS = env.integer("DELIVERY_TIMEOUT_SECONDS", 10, minimum=1)
GROUP_PUSH_LIMIT = env.integer("GROUP_PUSH_LIMIT", 500, minimum=1, maximum=2_000)
LOG_RETENTION_HOURS = env.integer("LOG_RETENTION_HOURS", 24, minimum=1, maximum=160)
SPAM_SCORING = env.boolean("SPAM_SCORING", True)
SPAM_UNANSWERED_PER_HOUR = env.integer("SPAM_UNANSWERED_PER_HOUR", 120, minimum=1)
SPAM_UNANSWERED_PER_DAY = env.integer("SPAM_UNANSWERED_PER_DAY", 400, minimum=1)
SPAM_NEW_ACCOUNT_DAYS = env.integer("SPAM_NEW_ACCOUNT_DAYS", 3, minimum=0)
SPAM_NEW_ACCOUNT_PERCENT = env.integer("SPAM_NEW_ACCOUNT_PERCENT", 50, minimum=1, maximum=100)
SPAM_NEW_ACCOUNT_MESSAGES_PER_HOUR = env.integer("SPAM_NEW_ACCOUNT_MESSAGES_PER_HOUR", 1_200, minimum=1)
SPAM_LIMIT_PER_MINUTE = env.integer("SPAM_LIMIT_PER_MINUTE", 5, minimum=0)
SPAM_LIMIT_HOURS = env.integer("SPAM_LIMIT_HOURS", 24, minimum=1)
DEVICE_STALE_DAYS = env.integer("DEVICE_STALE_DAYS", 30, minimum=1)

# --- Django ------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",  # before the admin, whose templates and site it takes over
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "channels",
    "corsheaders",
    "csp",
    "servestatic",
    "apps.messagelog",
    "apps.messagestore",
    "apps.accounts",
    "apps.groups",
    "apps.moderation",
    "apps.ingest",
    "apps.delivery",
    "apps.spam",
    "apps.gateway",
    "apps.api",
    "apps.webclient",
    "apps.operations",
]
if ON_MONGODB:  # else Django would note the tables of the ORM adapter as made, where there are none
    INSTALLED_APPS.remove("apps.messagestore")
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "apps.moderation.middleware.AdminPolicyMiddleware",
    "apps.moderation.middleware.AddressBanMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "apps.accounts.names.lockout_name"
AXES_VERBOSE = False
# Its failures are counted in the cache: its tables stay empty.
AXES_ENABLE_ADMIN = False
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
SESSION_COOKIE_AGE = 365 * 86_400
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Behind a load balancer there is TLS, and then no cookie may ever go without it. Whether a request came by TLS, the
# gateway reads from X-Forwarded-Proto, of TRUSTED_PROXIES only: Django needs no header of its own for that.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.boolean("SECURE_COOKIES", bool(TRUSTED_PROXIES))
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE
# Those who ask for these come straight to the process, without TLS: health checks, Prometheus, `up`.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SECURE_HSTS_SECONDS = 2 * 365 * 86_400 if SESSION_COOKIE_SECURE else 0
# W005 and W021 ask that HSTS covers all names below this one, and is built into browsers: that is for whoever holds the
# domain to say, since it would cut off sites beside this one that have no TLS.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
# Other origins come with a token or not at all: cookies are never taken from them.
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_CREDENTIALS = False
# A browser hides from a script of another origin every header that is not named: what is asked for again needs these.
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After"]
CORS_ALLOW_HEADERS = [*default_cors_headers, "if-none-match"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["chatsite.formats"]
STATIC_URL = "/static/"
# Nobody has to run collectstatic: the files of this checkout are served as they are.
SERVESTATIC_USE_FINDERS = True
STATICFILES_DIRS = [BASE_DIR / "static"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # An idle subscription must outlive redis-py's own 5 s socket timeout (channels_redis issue 422).
        "CONFIG": {"hosts": [{"address": CHANNEL_LAYER_URL, "socket_timeout": 15}]},
    }
}
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "apps.api.documentation.ApiSchema",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "chatsite",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": False, "defaultModelsExpandDepth": 0},
    "POSTPROCESSING_HOOKS": ["apps.api.documentation.add_protocol"],
    "PATH_CONVERTER_OVERRIDES": {
        "user_id": {"type": "string", "pattern": "^usr-[0-9a-f]{12}$"},
        "device_id": {"type": "string", "pattern": "^dev-[0-9a-f]{12}$"},
        "message_id": {"type": "string", "pattern": "^msg-[0-9a-f]{16}$"},
    },
}

# --- The admin ----------------------------------------------------------------------------------------------------
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Chatsite moderation",
    "SITE_HEADER": "Chatsite",
    "SITE_SUBHEADER": "Moderation",
    "SITE_SYMBOL": "shield_person",
    "SITE_URL": "/",
    "SHOW_BACK_BUTTON": True,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("chat/favicon.svg")},
    ],
    # A function is taken as it is: else unfold adds its own colours, in a style element, which the policy forbids.
    "COLORS": lambda request: {},
    "STYLES": [lambda request: static("moderation/colors.css"), lambda request: static("moderation/admin.css")],
    "SCRIPTS": [lambda request: static("moderation/htmx-settings.js")],
    "DASHBOARD_CALLBACK": "apps.moderation.start_page.describe_start",
    "SIDEBAR": {"show_search": False, "navigation": "apps.moderation.navigation.build_navigation"},
}

# --- Celery ------------------------------------------------------------------------------------------------------
# A task is only a hint; the truth is a row or a key, and a beat sweep finds what a lost task left.
CELERY_TASK_IGNORE_RESULT = True
# Not late: kombu can crash when a broker goes away under unacknowledged tasks, and a lost hint costs nothing.
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_TIME_LIMIT = 50
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # By itself kombu would wait for a broker that is gone without a word until the kernel gives up, minutes later.
    "socket_timeout": 15,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "visibility_timeout": 120,
    # Each queue has its turn: with a fixed order groups would hear nothing while many reconnect.
    "queue_order_strategy": "round_robin",
    # A task that cannot be asked for now is given up at once: a sweep finds what it would have done.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_TASK_DEFAULT_QUEUE = "sweeps"
CELERY_TASK_ROUTES = {
    "delivery.drain_gaps": {"queue": "gaps"},
    "delivery.drain": {"queue": "drain"},
    "groups.fan_out": {"queue": "fan_out"},
    "groups.count": {"queue": "counts"},
}
# In memory: the schedule is short, and its file cannot be opened where pysqlite3 stands in for Python 3.13's sqlite3.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "worker canary": {"task": "operations.canary", "schedule": schedule(10), "options": {"expires": 10}},
    "go on with groups": {"task": "groups.sweep", "schedule": schedule(10), "options": {"expires": 10}},
    "put back what no inbox has": {"task": "delivery.sweep", "schedule": schedule(10), "options": {"expires": 10}},
    "erase what is not wanted": {
        "task": "delivery.erase",
        "schedule": schedule(60),
        "options": {"expires": 60},
    },
    "erase what is left of deleted users": {
        "task": "operations.erase_deleted_users",
        "schedule": schedule(60),
        "options": {"expires": 60},
    },
    "end limits": {"task": "spam.lift_expired_limits", "schedule": schedule(60), "options": {"expires": 60}},
    "drop what is past its time": {"task": "delivery.purge", "schedule": schedule(60), "options": {"expires": 60}},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "apps.observability.logs.TextFormatter"},
        "json": {"()": "apps.observability.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    # DEBUG is for our own loggers: in debug lines of libraries stands what people write, and with what they log in.
    "root": {"handlers": ["stderr"], "level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
    "loggers": {
        "apps": {"level": LOG_LEVEL},
        "chatsite": {"level": LOG_LEVEL},
        "uvicorn.access": {"level": "WARNING"},
        "uvicorn.error": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "kafka": {"level": "WARNING"},
        # Both repeat every failure to connect while a broker is away; the log's adapter says what comes of it.
        "kafka.net": {"level": "CRITICAL"},
        "kafka.cluster": {"level": "CRITICAL"},
    },
}
