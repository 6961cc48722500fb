"""The pages of the browser app."""

from django.urls import path

from apps.webclient import views

app_name = "webclient"
urlpatterns = [
    path("", views.show_chat, name="chat"),
    # The app shows what the link behind the "#" invites to.
    path("join/", views.show_chat, name="join"),
    path("login/", views.LoginView.as_view(), name="login"),
    path("register/", views.RegisterView.as_view(), name="register"),
    path("logout/", views.log_out, name="logout"),
]
