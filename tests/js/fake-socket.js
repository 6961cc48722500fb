/** A WebSocket in the hands of a test: it records what is written and says what it is told to. */

export class FakeWebSocket {
  readyState = WebSocket.OPEN;
  sent = [];
  isClosed = false;

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
    this.readyState = WebSocket.CLOSED;
  }

  /** The server writes one frame. */
  receive(frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** The connection ends. */
  end(code, reason = "") {
    this.readyState = WebSocket.CLOSED;
    this.onclose?.({ code, reason });
  }
}

/** Opens FakeWebSockets and keeps them in order. */
export class FakeNetwork {
  sockets = [];
  open = (url) => {
    const socket = new FakeWebSocket();
    socket.url = url;
    this.sockets.push(socket);
    return socket;
  };

  get last() {
    return this.sockets.at(-1);
  }
}

export const connected = {
  action: "connected",
  protocol: 1,
  user_id: "usr-aaaaaaaaaaaa",
  device_id: "dev-aaaaaaaaaaaa",
  server_id: "one",
  heartbeat_interval: 30,
  timestamp: 1,
};
