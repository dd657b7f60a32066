"""The batch job: everything that touches storage, video files, Ray, or a person."""
