"""From 202 to Kafka: written in groups, published right behind, looked after until the judge has answered (P6.1)."""
