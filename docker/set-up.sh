#!/bin/sh
# Makes the servers ready for this version of the site: tables, topics, indexes. Run before the other containers start,
# at each deployment; what is done already is left alone, and what does not fit ends it with one line.
set -eu

python manage.py migrate --no-input
python manage.py setup_log
python manage.py setup_store
