"""The same expressions on Spark, for logs beyond one machine."""

import os
import shutil
from collections.abc import Iterable
from typing import Any

from breakeven.errors import SpecError
from breakeven.logs.batches import Batch
from breakeven.logs.engines import CORRUPT, FILE, Rejected, json_schema, stepwise
from breakeven.logs.extras import load

HERE = "local[*]"
"""Where Spark runs if neither SPARK_REMOTE nor spark.master in its own configuration says otherwise."""


class Spark:
    """A Spark session; the one that runs already, if there is one."""

    def __init__(self) -> None:
        self._sql = load("pyspark.sql")
        _check_java()
        builder = self._sql.SparkSession.builder.appName("breakeven").config("spark.sql.session.timeZone", "UTC")
        for name, value in _settings().items():
            builder = builder.config(name, value)
        self._session = builder.getOrCreate()
        self._connection = load("ibis").pyspark.connect(self._session)
        self._views = 0

    def open(self, batch: Batch, paths: Iterable[str]) -> Any:  # noqa: ANN401
        """The files of a batch as a view."""
        types, kinds = self._sql.types, load("ibis.backends.pyspark.datatypes").PySparkType
        reader, files = self._session.read.option("mode", "PERMISSIVE"), [_known(path) for path in batch.paths]
        if batch.form == "parquet":
            frame = reader.parquet(*files)
        elif batch.form == "csv":
            schema = types.StructType([types.StructField(name, types.StringType()) for name in batch.columns])
            schema.add(CORRUPT, types.StringType())
            reader = reader.option("header", True).option("sep", batch.delimiter).option("escape", '"')
            frame = reader.option("columnNameOfCorruptRecord", CORRUPT).schema(schema).csv(files)
        else:
            found = json_schema(batch, paths).items()
            schema = types.StructType([types.StructField(name, kinds.from_ibis(kind)) for name, kind in found])
            frame = reader.option("multiLine", batch.form != "lines").schema(schema).json(files)
        self._views += 1
        view = f"breakeven_log_{self._views}"
        name = self._sql.functions.regexp_replace(self._sql.functions.col("_metadata.file_path"), "^file:/+", "/")
        frame.withColumn(FILE, name).createOrReplaceTempView(view)
        return self._connection.table(view)

    def run(self, expression: Any) -> Any:  # noqa: ANN401
        """The rows of an expression."""
        with stepwise():
            return self._connection.to_pyarrow(expression)

    def rejected(self) -> list[Rejected]:
        """None: Spark keeps rows of the wrong form, and the expressions count them."""
        return []

    def reads_remote(self) -> bool:
        """Taken for granted: Spark reads ``s3a://`` with the packages and credentials of its own configuration."""
        return True

    def stop(self) -> None:
        """Give up what is running."""
        self._session.sparkContext.cancelAllJobs()

    def progress(self) -> float | None:
        """Not known."""
        return None


def _settings() -> dict[str, str]:
    """What is set unless the user's own Spark configuration is in charge."""
    quiet = {"spark.ui.showConsoleProgress": "false", "spark.log.level": "OFF"}
    if "SPARK_REMOTE" in os.environ or "SPARK_CONF_DIR" in os.environ:
        return quiet
    local = {"spark.master": HERE, "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1"}
    return {**quiet, **local, "spark.sql.shuffle.partitions": "8"}


def _check_java() -> None:
    if "SPARK_REMOTE" in os.environ or "JAVA_HOME" in os.environ or shutil.which("java"):
        return
    raise SpecError(
        "--engine spark needs Java, and there is none on this machine",
        expected="Java 17 or 21 on the PATH or in JAVA_HOME",
        do="Install it (docs/guides/logs.md, Spark: `apt-get install openjdk-17-jre-headless`)",
    )


def _known(path: str) -> str:
    """A path as Spark's own file system for S3 names it."""
    return path.replace("s3://", "s3a://", 1) if path.startswith("s3://") else path
