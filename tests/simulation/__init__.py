"""The whole delivery pipeline in one thread under virtual time, broken by a seed between any two calls."""
