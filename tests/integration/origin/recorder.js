// Origins that record what reaches them: what node's own HTTP parser makes of the bytes that the gate sends.
//
//   node recorder.js COUNT
//
// opens COUNT servers on loopback ports chosen by the system. One JSON object a line goes out on stdout: first
// {"ports": [...]}, then one answer for each line on stdin:
//
//   {"id": 1, "take": 0}                  -> {"id": 1, "records": [...]}   what origin 0 saw since it was last asked
//   {"id": 2, "emit": "x", "text": "..."} -> {"id": 2, "streams": n}       an event to each open stream named "x"
//   {"id": 3, "connections": 0}           -> {"id": 3, "open": n}          connections open to origin 0
//   {"id": 4, "answer": "x"}              -> {"id": 4, "answered": n}      lets each held request named "x" be answered
//
// It ends when stdin does. By path: /mode/echo gives back the content as it comes; /mode/download?bytes=N a known
// pattern; /mode/events?name=x a stream of events; /mode/hold?name=x waits for `answer`; /mode/early?status=N answers
// before the content has come and reads no more of it; /mode/deaf?name=x reads nothing of it until `answer`. Any other path is answered with its record.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');
const readline = require('node:readline');

const KEPT_BYTES = 4096; // of a content's beginning
const BLOCK = pattern(1 << 16);

function pattern(size) {
  const digests = [];
  for (let n = 0; n * 32 < size; n++) digests.push(crypto.createHash('sha256').update(`block ${n}`).digest());
  return Buffer.concat(digests).subarray(0, size);
}

class Origin {
  constructor(number) {
    this.number = number;
    this.records = [];
    this.connections = 0;
    this.open = new Set();
    this.server = http.createServer({ insecureHTTPParser: false, maxHeaderSize: 256 * 1024, keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 0 });
    this.server.maxHeadersCount = 0;
    this.server.on('connection', (socket) => this.connected(socket));
    this.server.on('request', (request, response) => this.requested(request, response));
    this.server.on('checkContinue', (request, response) => this.requested(request, response, { expects: true }));
    this.server.on('checkExpectation', (request, response) => this.requested(request, response, { expects: true }));
    this.server.on('connect', (request, socket) => this.hijacked('connect', request, socket));
    this.server.on('upgrade', (request, socket) => this.hijacked('upgrade', request, socket));
    this.server.on('clientError', (error, socket) => this.broken(error, socket));
  }

  connected(socket) {
    socket.serial = ++this.connections;
    this.open.add(socket);
    socket.on('close', () => this.open.delete(socket));
  }

  record(request, more) {
    const record = {
      connection: request.socket.serial,
      order: this.records.length,
      method: request.method,
      target: request.url,
      version: request.httpVersion,
      fields: request.rawHeaders,
      trailers: [],
      length: 0,
      sha256: null,
      first: '',
      complete: false,
      ...more,
    };
    this.records.push(record);
    return record;
  }

  hijacked(event, request, socket) {
    this.record(request, { event, complete: true, sha256: crypto.createHash('sha256').digest('hex') });
    socket.end('HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  }

  broken(error, socket) {
    this.records.push({ event: 'clientError', connection: socket.serial, code: error.code, reason: error.reason || error.message });
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  }

  requested(request, response, more) {
    const record = this.record(request, more);
    const url = new URL(request.url.startsWith('/mode/') ? request.url : '/', 'http://origin.invalid');
    const mode = MODES[url.pathname];
    if (mode && mode.early) return mode.early(record, request, response, url.searchParams, this);
    if (more && more.expects) response.writeContinue();
    this.read(record, request, mode && mode.content && mode.content(response), () => {
      if (mode) mode.end(record, request, response, url.searchParams);
      else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(record));
    });
    return undefined;
  }

  read(record, request, each, done) {
    const hash = crypto.createHash('sha256');
    const kept = [];
    let left = KEPT_BYTES;
    request.on('data', (piece) => {
      hash.update(piece);
      record.length += piece.length;
      if (left > 0) kept.push(piece.subarray(0, left));
      left -= piece.length;
      if (each) each(piece, request);
    });
    request.on('end', () => {
      record.sha256 = hash.digest('hex');
      record.first = Buffer.concat(kept).toString('base64');
      record.trailers = request.rawTrailers;
      record.complete = request.complete;
      if (request.complete) done();
    });
    request.on('error', () => undefined); // it was cut: its record stays incomplete
  }
}

const streams = new Map(); // name -> open streams of events
const held = new Map(); // name -> requests that wait

function among(map, name, response, act) {
  if (!map.has(name)) map.set(name, new Set());
  map.get(name).add(act);
  response.on('close', () => map.get(name)?.delete(act));
}

function download(response, bytes) {
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const piece = BLOCK.subarray(0, Math.min(left, 1 << 16));
      left -= piece.length;
      if (!response.write(piece)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

const MODES = {
  '/mode/echo': {
    content: (response) => (piece, request) => {
      if (!response.write(piece)) {
        request.pause();
        response.once('drain', () => request.resume());
      }
    },
    end: (record, request, response) => response.end(),
  },
  '/mode/download': {
    end: (record, request, response, query) => {
      const bytes = Number(query.get('bytes'));
      const head = { 'Content-Type': 'application/octet-stream' };
      if (!query.has('chunked')) head['Content-Length'] = bytes;
      response.writeHead(200, head);
      download(response, bytes);
    },
  },
  '/mode/events': {
    end: (record, request, response, query) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
      response.flushHeaders();
      among(streams, query.get('name'), response, (text) => response.write(`data: ${text}\n\n`));
    },
  },
  '/mode/hold': {
    end: (record, request, response, query) => {
      among(held, query.get('name'), response, () => response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(record)));
    },
  },
  '/mode/deaf': {
    early: (record, request, response, query, origin) => {
      among(held, query.get('name'), response, () => {
        origin.read(record, request, null, () => response.end(JSON.stringify(record)));
      });
    },
  },
  '/mode/early': {
    early: (record, request, response, query) => {
      const status = Number(query.get('status') || 413);
      response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': 6 });
      response.end('early\n');
    },
  },
};

async function act(command, origins) {
  if ('take' in command) {
    const origin = origins[command.take];
    const records = origin.records;
    origin.records = [];
    return { records };
  }
  if ('emit' in command) {
    const to = streams.get(command.emit) || new Set();
    for (const write of to) write(command.text);
    return { streams: to.size };
  }
  if ('answer' in command) {
    const waiting = [...(held.get(command.answer) || [])];
    held.delete(command.answer);
    for (const answer of waiting) answer();
    return { answered: waiting.length };
  }
  return { open: origins[command.connections].open.size };
}

async function main() {
  const origins = Array.from({ length: Number(process.argv[2] || 1) }, (_, number) => new Origin(number));
  await Promise.all(origins.map((origin) => new Promise((resolve) => origin.server.listen(0, '127.0.0.1', resolve))));
  const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  say({ ports: origins.map((origin) => origin.server.address().port), node: process.version, llhttp: process.versions.llhttp });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    say({ id: command.id, ...(await act(command, origins)) });
  }
  process.exit(0);
}

main();
