"""Fixes the sources in Parquet files with Spark: pyspark_pipe.py SOURCES FIXED"""

import os
import sys

from pyspark.sql import SparkSession

FINDINGS = "ARRAY<STRUCT<code: STRING, message: STRING>>"
ANSWER = f"path STRING, source STRING, changed BOOLEAN, fixed {FINDINGS}, findings {FINDINGS}, error STRING"

spark = SparkSession.builder.appName("asyncfix").getOrCreate()
sources = spark.read.parquet(sys.argv[1]).select("path", "source")
# Without `env`, Spark starts the command with no PATH at all.
answers = sources.toJSON().pipe("asyncfix batch --isolated --jobs 1", env={"PATH": os.environ["PATH"]})
spark.read.schema(ANSWER).json(answers).write.parquet(sys.argv[2])
