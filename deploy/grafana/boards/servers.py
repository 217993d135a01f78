"""Kafka, PostgreSQL and our own processes, as our own processes see them."""

from typing import Final

from deploy.grafana.asking import now, per_second, quantile
from deploy.grafana.panels import Board, Panel, Row, Text

WORDS: Final = """
There is no exporter of Kafka or PostgreSQL here: these figures are what our five services see of the two. What only
they know themselves (disks, replication, locks of others) needs `kafka_exporter` or the broker's JMX agent, and
`postgres_exporter`, beside this.
"""

BOARD: Final = Board(
    "tocsin-servers",
    "Tocsin: Kafka and PostgreSQL",
    "What our services see of the servers that they stand on, and of themselves.",
    (
        Row("Whose figures these are", (Text("No exporter", WORDS),)),
        Row(
            "Kafka",
            (
                Panel(
                    "Lag by topic",
                    "Written and not yet done with.",
                    [now("tocsin_consumer_lag_records", "group", "topic")],
                ),
                Panel(
                    "Records per second", "Done with, by stage.", [per_second("tocsin_stage_records_total", "stage")]
                ),
                Panel(
                    "Said again",
                    "By a sweep: something had been lost, or Kafka was away.",
                    [per_second("tocsin_sweep_republished_total", "job", "kind")],
                ),
                Panel(
                    "Poison per second",
                    "Records that nobody can read.",
                    [per_second("tocsin_poison_records_total", "topic")],
                ),
            ),
        ),
        Row(
            "PostgreSQL",
            (
                Panel(
                    "Connections",
                    "Of each process: those at work, beside the most that may be open.",
                    [
                        now("tocsin_database_pool_connections", "job", "pool", "state"),
                        ("sum by (job, pool) (tocsin_database_pool_connections_max)", "{{job}} {{pool}} most"),
                    ],
                ),
                Panel(
                    "A batch, from poll to commit, p99",
                    "Mostly the transaction.",
                    [quantile(0.99, "tocsin_stage_batch_seconds", "stage")],
                    unit="s",
                ),
                Panel(
                    "Batches done again",
                    "The database was away, or refused one.",
                    [per_second("tocsin_stage_failed_batches_total", "stage")],
                ),
            ),
        ),
        Row(
            "Our processes",
            (
                Panel(
                    "Event loop, p99",
                    "How late it comes to what is due in it: above 0.1 s something in it computes too long.",
                    [quantile(0.99, "tocsin_event_loop_delay_seconds", "job")],
                    unit="s",
                ),
                Panel(
                    "Processor",
                    "Seconds of a core per second.",
                    [per_second("process_cpu_seconds_total", "job", where="job=~'intake|scheduler|.*_sender|gateway'")],
                ),
                Panel(
                    "Memory",
                    "Resident.",
                    [now("process_resident_memory_bytes", "job", "instance", where="job!='prometheus'")],
                    unit="bytes",
                ),
                Panel("What runs", "Versions, by service.", [now("tocsin_build_info", "service", "version", "python")]),
            ),
        ),
    ),
)
