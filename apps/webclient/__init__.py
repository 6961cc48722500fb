"""Stage: the door for browsers.

In: requests for the pages of the browser app. Out: the app's shell, the forms to register and log in; the chat itself
runs in the browser (`static/chat`) over the socket and the REST interface.
"""
