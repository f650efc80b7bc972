"""One folder per Lambda function; each holds `app.py` with `handler`."""
