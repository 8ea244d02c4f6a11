/** What hostile clients send: each attack has its status, and changes nothing (A-1 … A-15). */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { test } from 'node:test'
import { callsOf, listening, raw, request, statusOf } from './http.mjs'

const CREATE = '{"method":"awf.task/create-and-execute","params":{"definition":"a","params":{}}}'
const LIST = '{"method":"awf.task/list"}'
const own = 'x'.repeat(22)

/** The status and the code of what a request is answered with. */
async function answered(response) {
  const text = await response.text()
  assert.ok(!/\bat \S+:\d+|\.rs\b|panicked/.test(text), text)
  assert.equal(response.headers.get('access-control-allow-origin'), null)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
  const { error, result } = JSON.parse(text)
  assert.equal(result, undefined)
  return [response.status, error.code]
}

test('A-1: no token, a wrong one, or one that stands elsewhere', async t => {
  const { tasker, server } = await listening(t)
  const { token, url } = server
  const basic = pair => `Basic ${Buffer.from(pair).toString('base64')}`
  const send = (authorization, where = `${url}/rpc`) =>
    fetch(where, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
      body: CREATE,
    })
  const none = await send()
  // As a browser would, `fetch` says Sec-Fetch-Mode; what is none is told of Basic.
  assert.equal(none.headers.get('www-authenticate'), 'Bearer')
  const bare = request(server, { body: CREATE, headers: ['Connection: close'] })
  const without = await raw(server, bare.replace(/Authorization: .*\r\n/, ''))
  assert.match(without, /^HTTP\/1\.1 401 /)
  assert.match(without, /\r\nwww-authenticate: Basic realm="tasker"\r\n/)
  assert.deepEqual(await answered(none), [401, 'unauthorized'])
  for (const where of [`${url}/rpc?token=${token}`, `${url}/rpc?access_token=${token}`]) {
    assert.deepEqual(await answered(await send(undefined, where)), [401, 'unauthorized'])
  }
  const wrong = [
    `Bearer ${token.slice(1)}`,
    `Bearer ${token}x`,
    `Bearer ${token.toUpperCase()}`,
    token,
    basic(`other:${token}`),
    basic(token),
    'Basic %%%',
    'Bearer',
  ]
  for (const authorization of wrong) {
    const [status, code] = await answered(await send(authorization))
    // So many wrong ones in a second are too many.
    assert.ok(status === 401 || status === 429, code)
  }
  const right = [`Bearer ${token}`, `bearer  ${token}`, basic(`token:${token}`)]
  for (const authorization of right) assert.equal((await send(authorization)).status, 200)
  assert.equal(await tasker.countTasks({}), right.length)
})

test('A-1: wrong tokens are refused without a look when there are too many', async t => {
  const { server, call } = await listening(t)
  const send = () =>
    fetch(`${server.url}/rpc`, {
      method: 'POST',
      headers: { authorization: 'Bearer wrong', 'content-type': 'application/json' },
      body: LIST,
    })
  const statuses = await Promise.all(Array.from({ length: 30 }, async () => (await send()).status))
  assert.ok(statuses.includes(429), String(statuses))
  assert.ok(statuses.every(status => status === 401 || status === 429))
  // Who has a token shares the address, and is served.
  assert.equal((await call('awf.task/list', {})).status, 200)
})

test('A-1: a token may be given by its hash alone', async t => {
  const hash = createHash('sha256').update(own).digest('hex')
  const { server } = await listening(t, {}, { token: [{ name: 'a', role: 'read', hash }] })
  assert.equal(server.token, undefined)
  assert.equal((await callsOf(server, own).call('awf.task/list', {})).status, 200)
  assert.equal((await callsOf(server, hash).call('awf.task/list', {})).status, 401)
})

/** Params that are wrong for each of them. */
const WRONG = { id: 7, filter: 7, taskDefinitions: 7 }

/** Which roles may call which method; a method that is not here is none. */
const MAY = {
  'awf.task/create-and-execute': ['write', 'executor', 'admin'],
  'awf.task/status': ['read', 'write', 'executor', 'admin'],
  'awf.task/cancel': ['write', 'executor', 'admin'],
  'awf.task/list': ['read', 'write', 'executor', 'admin'],
  'awf.task/poll': ['executor', 'admin'],
  'awf.task/long-poll': ['executor', 'admin'],
  'awf.task/start': ['executor', 'admin'],
  'awf.task/notify': ['executor', 'admin'],
  'awf.task/success': ['executor', 'admin'],
  'awf.task/fail': ['executor', 'admin'],
}

test('each role may what it is for, and nothing else', async t => {
  const roles = ['read', 'write', 'executor', 'admin']
  const tokens = roles.map((role, n) => ({ name: role, role, token: String(n).repeat(22) }))
  const { tasker, server } = await listening(t, {}, { token: tokens })
  const known = await callsOf(server, tokens[3].token).call('awf.task/unknown', {})
  const methods = known.error.message.match(/awf\.task\/[a-z-]+/g)
  assert.deepEqual(methods.sort(), Object.keys(MAY).sort(), 'a method is missing in this table')
  for (const { role, token } of tokens) {
    for (const method of methods) {
      // Who may not hears that before anything of the params.
      const { status, error } = await callsOf(server, token).call(method, WRONG)
      const expected = MAY[method].includes(role) ? [422, 'invalid-params'] : [403, 'forbidden']
      assert.deepEqual([status, error.code], expected, `${role} ${method}`)
    }
  }
  assert.equal(await tasker.countTasks({}), 0)
})

test('A-2: a page of another site, and a name that was bound anew', async t => {
  const { tasker, server } = await listening(t, {}, { allowedHosts: ['tasks.example'] })
  const send = headers =>
    raw(server, request(server, { headers: [...headers, 'Connection: close'], body: CREATE }))
  const same = `Origin: http://127.0.0.1:${server.port}`
  for (const [headers, status] of [
    [['Sec-Fetch-Site: cross-site'], 403],
    [['Sec-Fetch-Site: same-site'], 403],
    [['Sec-Fetch-Site: cross-site', same], 403],
    [['Origin: http://evil.example'], 403],
    [['Origin: null'], 403],
    [[`Origin: http://127.0.0.1:${server.port + 1}`], 403],
  ]) {
    assert.equal(statusOf(await send(headers)), status, String(headers))
  }
  assert.equal(await tasker.countTasks({}), 0)
  for (const headers of [[same], ['Sec-Fetch-Site: same-origin'], ['Sec-Fetch-Site: none']]) {
    assert.equal(statusOf(await send(headers)), 200, String(headers))
  }
  const hosts = [
    [`evil.example:${server.port}`, 421],
    ['evil.example', 421],
    [`localhost.evil.example:${server.port}`, 421],
    ['127.0.0.1', 421],
    [`127.0.0.1:${server.port + 1}`, 421],
    ['', 421],
    [`LOCALHOST:${server.port}`, 200],
    [`[::1]:${server.port}`, 200],
    ['tasks.example', 200],
    ['Tasks.Example:443', 200],
  ]
  for (const [host, status] of hosts) {
    const other = text => text.replace(/Host: .*\r/, `Host: ${host}\r`)
    const close = { headers: ['Connection: close'] }
    const rpc = await raw(server, other(request(server, { body: LIST, ...close })))
    assert.equal(statusOf(rpc), status, `${host} ${rpc}`)
    const get = { verb: 'GET', path: '/health/live', ...close }
    assert.equal(statusOf(await raw(server, other(request(server, get)))), status, host)
  }
})

test('no header of CORS is ever sent, and a preflight is refused', async t => {
  const { server } = await listening(t)
  const preflight = await fetch(`${server.url}/rpc`, {
    method: 'OPTIONS',
    headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
  })
  assert.equal(preflight.headers.get('allow'), 'POST')
  assert.deepEqual(await answered(preflight), [405, 'wrong-verb'])
})

test('what is no POST, and what no form may send', async t => {
  const { tasker, server, post } = await listening(t)
  const headers = { authorization: `Bearer ${server.token}` }
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    const answer = await fetch(`${server.url}/rpc`, { method, headers })
    assert.deepEqual(await answered(answer), [405, 'wrong-verb'], method)
  }
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/jsonp',
    '',
  ]) {
    const answer = await answered(await post(CREATE, { 'content-type': type }))
    assert.deepEqual(answer, [415, 'wrong-type'], type)
  }
  for (const encoding of ['gzip', 'br', 'deflate, gzip', 'x']) {
    const answer = await answered(await post(CREATE, { 'content-encoding': encoding }))
    assert.deepEqual(answer, [415, 'wrong-type'], encoding)
  }
  const bare = request(server, { body: CREATE, headers: ['Connection: close'] })
  const untyped = await raw(server, bare.replace(/Content-Type: .*\r\n/, ''))
  assert.equal(statusOf(untyped), 415)
  assert.equal(await tasker.countTasks({}), 0)
})

test('A-3: a body as long as it may be, longer, and without an end', async t => {
  const { tasker, server, post } = await listening(t)
  const most = 17 * 1024 * 1024
  const padded = length => CREATE + ' '.repeat(length - CREATE.length)
  assert.equal((await post(padded(most))).status, 200)
  assert.deepEqual(await answered(await post(padded(most + 1))), [413, 'too-large'])
  const yaml = { 'content-type': 'text/yaml', accept: 'application/json' }
  const text = length => `${CREATE.replace('{', '{ ')}\n#${' '.repeat(length)}`.slice(0, length)
  assert.equal((await post(text(4 * 1024 * 1024), yaml)).status, 200)
  assert.equal((await post(text(4 * 1024 * 1024 + 1), yaml)).status, 413)
  // In chunks. A client in this loop that never ended might never hear that it is cut off.
  const endless = () => {
    const chunk = Buffer.alloc(1 << 20, ' ')
    let left = 200
    const pull = controller => (left-- > 0 ? controller.enqueue(chunk) : controller.close())
    return new ReadableStream({ pull })
  }
  const ended = await fetch(`${server.url}/rpc`, {
    method: 'POST',
    duplex: 'half',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.token}` },
    body: endless(),
  }).then(
    response => response.status,
    () => 'cut',
  )
  assert.ok(ended === 413 || ended === 'cut', String(ended))
  assert.equal(await tasker.countTasks({}), 2)
})

test('A-3: payloads have their limit whatever the body has', async t => {
  const { post } = await listening(t)
  const of = data => CREATE.replace('"params":{}', `"params":{"a":"${data}"}`)
  const most = 16 * 1024 * 1024 - '{"a":""}'.length
  assert.equal((await post(of('x'.repeat(most)))).status, 200)
  const response = await post(of('x'.repeat(most + 1)))
  assert.equal(response.status, 422)
  assert.equal((await response.json()).error.errors[0].path, 'params.params')
})

test('A-5: depth does not hurt, whatever it is in', async t => {
  const { post } = await listening(t)
  const hostile = [
    '['.repeat(200_000),
    `${'['.repeat(200_000)}${']'.repeat(200_000)}`,
    '{"a":'.repeat(200_000),
    `{"method":"awf.task/list","params":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
    `{"method":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
  ]
  for (const body of hostile) {
    assert.deepEqual(await answered(await post(body)), [400, 'unreadable'], body.slice(0, 40))
  }
})

test('A-6: YAML that is meant to hurt', async t => {
  const { tasker, post } = await listening(t)
  const type = { 'content-type': 'text/yaml', accept: 'application/json' }
  const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x]']
  for (let n = 1; n < 10; n++) bomb.push(`a${n}: &a${n} [${`*a${n - 1},`.repeat(9)}]`)
  for (const body of [
    bomb.join('\n'),
    '['.repeat(200_000),
    '- '.repeat(500_000),
    '? '.repeat(300_000),
    ': '.repeat(500_000),
    '{a: '.repeat(10_000),
    'a: !!python/object/apply:os.system ["x"]',
    'method: awf.task/list\n---\nmethod: awf.task/list',
    'method: &m awf.task/list\nparams: {a: *m}',
    'x: {<<: {a: 1}}\nmethod: awf.task/list',
    'method: awf.task/list\nmethod: awf.task/list',
    '? [a]\n: 1',
    'a: "x\0y"',
    '%YAML 9.9\n---\n',
    '\u{fffe}',
  ]) {
    assert.deepEqual(await answered(await post(body, type)), [400, 'unreadable'], body.slice(0, 60))
  }
  assert.equal((await post(Buffer.from([0xff, 0xfe, 0x00]), type)).status, 400)
  assert.equal(await tasker.countTasks({}), 0)
})

test('bodies that are no call', async t => {
  const { post } = await listening(t)
  for (const body of [
    '',
    ' ',
    '7',
    '"a"',
    'null',
    '{}',
    '{"method":7}',
    '{"method":null}',
    '{',
    '[',
    '[[]]',
    '{"params":{}}',
    '{"method":"a"} x',
    '\u{feff}{}',
  ]) {
    const [status, code] =
      body === '[[]]' ? [(await post(body)).status, 'unreadable'] : await answered(await post(body))
    assert.deepEqual([status, code], [body === '[[]]' ? 200 : 400, 'unreadable'], body)
  }
})

test('A-12: heads that two readers read in two ways', async t => {
  const { tasker, server } = await listening(t)
  const chunked = `${CREATE.length.toString(16)}\r\n${CREATE}\r\n0\r\n\r\n`
  const head = lines =>
    `POST /rpc HTTP/1.1\r\n${[
      `Authorization: Bearer ${server.token}`,
      'Content-Type: application/json',
      ...lines,
    ].join('\r\n')}\r\n\r\n`
  const host = `Host: 127.0.0.1:${server.port}`
  const length = `Content-Length: ${CREATE.length}`
  const te = 'Transfer-Encoding: chunked'
  const smuggled = request(server, { body: CREATE })
  for (const bytes of [
    head([host, te, length]) + chunked,
    head([host, length, te]) + chunked,
    head([host, 'Content-Length: 4', te]) + chunked + smuggled,
    head([host, `transfer-encoding:chunked`, `content-length:${chunked.length}`]) + chunked,
    head([host, length, 'Content-Length: 1']) + CREATE,
    head([host, 'Transfer-Encoding: gzip']) + CREATE,
    head([host, 'Transfer-Encoding: chunked, gzip']) + CREATE,
    head([length]) + CREATE,
    head([host, host, length]) + CREATE,
    head([host, 'Host: other', length]) + CREATE,
    head([host, length]).replace('/rpc', `http://127.0.0.1:${server.port}/rpc`) + CREATE,
    head([host, length, 'X-Folded: a\r\n b']) + CREATE,
    head([host, 'Content-Length : 4']) + CREATE,
    head([host, 'Content-Length: +4']) + CREATE,
    head([host, 'Content-Length: -1']) + CREATE,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'GET /\r\n\r\n',
  ]) {
    const text = await raw(server, bytes)
    assert.ok(text === '' || statusOf(text) === 400, `${bytes}\n${text}`)
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length ?? 0, text === '' ? 0 : 1, text)
  }
  assert.equal(await tasker.countTasks({}), 0)
  // Chunks alone are taken, and nothing is read behind them.
  const text = await raw(server, head([host, te]) + chunked + smuggled)
  assert.equal(statusOf(text), 200)
  assert.equal(await tasker.countTasks({}), 1)
})

test('heads have their limits', async t => {
  const { server, call } = await listening(t)
  const long = await raw(server, request(server, { headers: [`X: ${'x'.repeat(70_000)}`] }))
  assert.equal(statusOf(long), 431)
  const many = Array.from({ length: 70 }, (_, n) => `X-${n}: 1`)
  assert.equal(statusOf(await raw(server, request(server, { headers: many }))), 431)
  assert.equal((await call('awf.task/list', {})).status, 200)
})

test('A-4: clients that are slow do not hold up the others', async t => {
  const { server, call } = await listening(t)
  const sockets = await Promise.all(
    Array.from(
      { length: 300 },
      () =>
        new Promise(resolve => {
          const socket = connect(server.port, '127.0.0.1', () => {
            socket.write('POST /rpc HTTP/1.1\r\nHost: x')
            resolve(socket)
          })
          socket.on('error', () => {})
        }),
    ),
  )
  assert.equal((await call('awf.task/list', {})).status, 200)
  for (const socket of sockets) socket.destroy()
})

test('A-14: what the engine logs names no token', async t => {
  const lines = []
  const write = (...args) => lines.push(JSON.stringify(args))
  const logger = { debug: write, info: write, warn: write, error: write }
  const { server, call } = await listening(t, { logger })
  await call('awf.task/list', {})
  await callsOf(server, 'a-wrong-token-that-is-long').call('awf.task/list', {})
  await raw(server, `POST /rpc HTTP/1.1\r\nAuthorization: Bearer ${server.token}\r\nbroken\r\n\r\n`)
  await server.close()
  for (const secret of [server.token, 'a-wrong-token-that-is-long']) {
    assert.ok(!lines.some(line => line.includes(secret)))
  }
})
