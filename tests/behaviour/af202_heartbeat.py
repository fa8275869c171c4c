"""A server that takes its time, asked by name and by the method of a response: the heart goes on beating."""

import asyncio
import http.server
import threading
import time
import urllib.request


async def heartbeat(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.01)


class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.2)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"slow")

    def log_message(self, *args):
        pass


async def load(url):
    return urllib.request.urlopen(url).read().decode()


async def load_in_block(url):
    with urllib.request.urlopen(url) as answer:
        status = answer.status
        text = answer.read()
    return status, text


async def main():
    beats = []
    heart = asyncio.ensure_future(heartbeat(beats))
    await asyncio.sleep(0)
    server = http.server.HTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    try:
        assert await load(url) == "slow"
        assert await load_in_block(url) == (200, b"slow")
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
    heart.cancel()
    print("cured" if len(beats) > 5 else "pitfall")


asyncio.run(main())
