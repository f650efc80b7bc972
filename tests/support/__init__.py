"""What several tests share: builders of keys and credentials, stores, clocks."""
