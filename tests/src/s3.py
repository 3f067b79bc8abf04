"""An object store that speaks S3, on a free port, for as long as its standard input is open; then a few commands on it."""

import os
import sys


def serve():
    import urllib.request

    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://%s:%d" % server.get_host_and_port()
    for bucket in sys.argv[2:]:
        urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}", method="PUT")).read()
    print(url, flush=True)
    sys.stdin.read()
    os._exit(0)


def store():
    from pyarrow import fs

    endpoint = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    return fs.S3FileSystem(endpoint_override=endpoint, scheme="http", region="us-east-1")


def put(source, target):
    """Copies a local file into the store."""
    with open(source, "rb") as file, store().open_output_stream(target) as out:
        out.write(file.read())


def get(folder, target):
    """Copies what everybody sees of a folder in the store, and reads each file as Parquet on the way."""
    import pyarrow.parquet

    from pyarrow import fs

    os.makedirs(target)
    rows = 0
    for info in store().get_file_info(fs.FileSelector(folder, recursive=False, allow_not_found=True)):
        if not info.base_name.startswith("."):
            rows += pyarrow.parquet.read_table(info.path, filesystem=store()).num_rows
            with store().open_input_stream(info.path) as file, open(os.path.join(target, info.base_name), "wb") as out:
                out.write(file.read())
    print(rows)


def names(folder):
    """Prints the names of all files below a folder of the store."""
    from pyarrow import fs

    found = store().get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    for info in sorted(found, key=lambda info: info.path):
        if info.type == fs.FileType.File:
            print(info.path)


def create(bucket, key):
    """Writes an object that must not be there yet, twice, and prints the answers."""
    import boto3
    import botocore.exceptions

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    for body in (b"one", b"two"):
        try:
            client.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
            print("written")
        except botocore.exceptions.ClientError as error:
            print(error.response["Error"]["Code"])
    print(client.get_object(Bucket=bucket, Key=key)["Body"].read().decode())


if __name__ == "__main__":
    {"serve": serve}.get(sys.argv[1], lambda: globals()[sys.argv[1]](*sys.argv[2:]))()
