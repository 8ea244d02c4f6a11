/** The service of HTTP behind a server of the user's: who is let in, who leaves, how it ends. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { AS_JSON, callsOf, polled, raw, request, statusOf } from './http.mjs'
import { imports, next, open, pending, runs } from './open.mjs'

const LIST = '{"method":"awf.task/list"}'
const CREATE = '{"method":"awf.task/create-and-execute","params":{"definition":"a","params":{}}}'
const POLL = '{"method":"awf.task/long-poll","params":{"taskDefinitions":["a"],"timeout":600000}}'

/** A server of node:http with this listener. */
async function serving(t, listener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address()
  return { server, port, url: `http://127.0.0.1:${port}`, token: 'none' }
}

/** A tasker that is mounted in a server, with what calls it. */
async function mounted(t, access = () => 'admin', options = {}) {
  const tasker = open(t, options)
  await tasker.defineOperation('a', { executor: true })
  const http = tasker.http({ access })
  const server = await serving(t, http.node)
  return { tasker, http, ...server, ...callsOf(server) }
}

/** The task of a poll, or nothing. */
const claimed = answer => answer.result?.resources[0]?.id

test('access is asked for, and nothing else is an option', async t => {
  const tasker = open(t)
  for (const [options, path] of [
    [undefined, 'access'],
    [{}, 'access'],
    [{ access: 'admin' }, 'access'],
    [{ access: () => 'admin', token: 'a' }, 'token'],
    [7, 'options'],
  ]) {
    assert.throws(() => tasker.http(options), { code: 'TASKER_INVALID', path })
  }
  await tasker.close()
  assert.throws(() => tasker.http({ access: () => 'admin' }), { code: 'TASKER_CLOSED' })
})

test('a call is what it is over `listen`, at any prefix, in JSON and YAML', async t => {
  const { result, refusal, url, post, tasker } = await mounted(t)
  const { resource } = await result('awf.task/create-and-execute', { definition: 'b', params: {} })
  assert.equal(resource.status, 'ready')
  assert.equal((await tasker.getTask(resource.id)).operation, 'b')
  await refusal('awf.task/status', {}, 422, 'invalid-params')
  await refusal('awf.task/nothing', {}, 404, 'unknown-method')
  const prefixed = callsOf({ url: `${url}/some/prefix`, token: 'x' })
  assert.equal((await prefixed.result('awf.task/list', {})).resources.length, 1)
  const yaml = await post('method: awf.task/list', { 'content-type': 'text/yaml' })
  assert.match(await yaml.text(), /^result:\n {2}resources:\n/)
  assert.match(yaml.headers.get('content-type'), /^text\/yaml/)
  for (const name of ['cache-control', 'x-content-type-options']) assert.ok(yaml.headers.has(name))
})

test('what access says holds for the call: a role, none, a name, operations', async t => {
  let says
  const { call, tasker } = await mounted(t, () => says)
  const tried = async (access, method = 'awf.task/cancel') => {
    says = access
    const { status, error } = await call(method, {})
    return [status, error?.code]
  }
  for (const access of ['none', { role: 'none' }, Promise.resolve('none'), { role: 'read' }]) {
    assert.deepEqual(await tried(access), [403, 'forbidden'])
  }
  for (const access of ['write', Promise.resolve('admin'), { role: 'write', by: undefined }]) {
    assert.deepEqual(await tried(access), [422, 'invalid-params'])
  }
  says = { role: 'executor', by: 'ann', operations: ['a'] }
  const params = { definition: 'b', params: {} }
  assert.equal((await call('awf.task/create-and-execute', params)).error.code, 'forbidden')
  assert.equal(
    (await call('awf.task/create-and-execute', { ...params, definition: 'a' })).status,
    200,
  )
  assert.equal(await tasker.countTasks({}), 1)
})

test('access that throws or says nonsense opens nothing, and is told', async t => {
  let access
  const { call, post, tasker } = await mounted(t, request => access(request))
  const fault = new Error('no database')
  for (const [broken, path] of [
    [() => Promise.reject(fault)],
    [
      () => {
        throw fault
      },
    ],
    [() => undefined, 'access'],
    [() => null, 'access'],
    [() => true, 'access'],
    [() => 'boss', 'access'],
    [() => ['admin'], 'access'],
    [() => () => 'admin', 'access'],
    [() => ({}), 'access.role'],
    [() => new Map([['role', 'admin']]), 'access.role'],
    [() => ({ role: 'admin', by: '' }), 'access.by'],
    [() => ({ role: 'admin', operations: 'a' }), 'access.operations'],
    [() => ({ role: 'admin', operations: undefined }), 'access.operations'],
    [() => ({ role: 'admin', operations: () => ['a'] }), 'access.operations'],
    [() => ({ role: 'admin', operations: new Set(['a']) }), 'access.operations'],
    [() => ({ role: 'admin', scope: 'all' }), 'access.scope'],
  ]) {
    access = broken
    const told = next(tasker, 'error')
    const { status, error, result } = await call('awf.task/create-and-execute', {
      definition: 'a',
      params: {},
    })
    assert.deepEqual([status, error.code, result], [500, 'mount-failed', undefined], String(broken))
    assert.ok(!JSON.stringify(error).includes('database'))
    const [said] = await told
    if (path === undefined) assert.equal(said, fault)
    else assert.deepEqual([said.code, said.path], ['TASKER_INVALID', path], String(broken))
  }
  const told = next(tasker, 'error')
  const yaml = await post(LIST, { accept: 'text/yaml' })
  assert.match(await yaml.text(), /^error:\n {2}code: mount-failed\n/)
  await told
  assert.equal(await tasker.countTasks({}), 0)
})

test('access sees the request of its server, and only calls ask for it', async t => {
  const seen = []
  const { url, http, post } = await mounted(t, request => {
    seen.push(request)
    return 'read'
  })
  for (const path of ['/health/live', '/health/ready', '/nothing']) await fetch(url + path)
  await fetch(`${url}/rpc`, { method: 'OPTIONS' })
  assert.equal(seen.length, 0)
  await post(LIST, { 'x-user': 'ann' })
  assert.equal(seen[0].headers['x-user'], 'ann')
  const given = new Request('http://tasks.example/rpc', {
    method: 'POST',
    body: LIST,
    headers: AS_JSON,
  })
  assert.equal((await http.fetch(given)).status, 200)
  assert.equal(seen[1], given)
})

test('what hostile clients send has its status, and changes nothing', async t => {
  const { tasker, port, url, post } = await mounted(t)
  const server = { port, token: 'x' }
  const send = (headers, more = {}) =>
    raw(
      server,
      request(server, { headers: [...headers, 'Connection: close'], body: CREATE, ...more }),
    )
  for (const [headers, status] of [
    [['Sec-Fetch-Site: cross-site'], 403],
    [['Sec-Fetch-Site: same-site'], 403],
    [['Origin: http://evil.example'], 403],
    [['Origin: null'], 403],
    [[`Origin: http://127.0.0.1:${port + 1}`], 403],
    [['Content-Encoding: gzip'], 415],
  ]) {
    assert.equal(statusOf(await send(headers)), status, String(headers))
  }
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
    const answer = await fetch(`${url}/rpc`, { method })
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST'])
  }
  assert.equal((await fetch(`${url}/health/live`, { method: 'POST' })).status, 405)
  assert.equal((await post(CREATE, { 'content-type': 'text/plain' })).status, 415)
  assert.equal((await post('['.repeat(200_000))).status, 400)
  assert.equal((await post('')).status, 400)
  const unknown = await fetch(`${url}/`)
  assert.deepEqual([unknown.status, (await unknown.json()).error.code], [404, 'unknown-path'])
  assert.equal(await tasker.countTasks({}), 0)
  assert.equal(statusOf(await send([`Origin: http://127.0.0.1:${port}`])), 200)
  assert.equal(statusOf(await send(['Sec-Fetch-Site: same-origin'])), 200)
  // By whatever name the user's server is called.
  const other = request(server, { body: LIST, headers: ['Connection: close'] })
  assert.equal(statusOf(await raw(server, other.replace(/Host: .*\r/, 'Host: a.example\r'))), 200)
})

test('A-3: a body as long as it may be, longer, without end, and one that breaks off', async t => {
  const { tasker, port, url, post } = await mounted(t)
  const most = 17 * 1024 * 1024
  const padded = length => CREATE + ' '.repeat(length - CREATE.length)
  assert.equal((await post(padded(most))).status, 200)
  const long = await post(padded(most + 1))
  assert.deepEqual([long.status, (await long.json()).error.code], [413, 'too-large'])
  const chunk = Buffer.alloc(1 << 20, ' ')
  let left = 200
  const pull = controller => (left-- > 0 ? controller.enqueue(chunk) : controller.close())
  const endless = await fetch(`${url}/rpc`, {
    method: 'POST',
    duplex: 'half',
    headers: AS_JSON,
    body: new ReadableStream({ pull }),
  }).then(
    response => response.status,
    () => 'cut',
  )
  assert.ok(endless === 413 || endless === 'cut', String(endless))
  const yaml = 'method: awf.task/create-and-execute\nparams: {definition: a, params: {}}\n'
  const head = `POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Type: text/yaml\r\nContent-Length: 999`
  const socket = connect(port, '127.0.0.1')
  socket.end(`${head}\r\n\r\n${yaml}`)
  socket.resume()
  await once(socket, 'close')
  assert.equal(await tasker.countTasks({}), 1)
})

test('a poll whose connection ends gets no task: the next one does', async t => {
  const { tasker, url, call } = await mounted(t)
  const controller = new AbortController()
  const options = { method: 'POST', body: POLL, headers: AS_JSON, signal: controller.signal }
  const gone = fetch(`${url}/rpc`, options)
  await polled(tasker)
  controller.abort()
  await assert.rejects(gone)
  await polled(tasker, false)
  const uuid = await tasker.addTask({ operation: 'a', data: {} })
  assert.equal(claimed(await call('awf.task/poll', {})), uuid)
})

test('who leaves while access is asked for has changed nothing', async t => {
  const { promise, resolve } = pending()
  const tasker = open(t)
  const http = tasker.http({ access: ({ headers }) => (headers['x-slow'] ? promise : 'admin') })
  const arrived = pending()
  const server = await serving(t, (request, response) => {
    http.node(request, response)
    if (request.headers['x-slow']) arrived.resolve(response)
  })
  const controller = new AbortController()
  const headers = { ...AS_JSON, 'x-slow': '1' }
  const options = { method: 'POST', body: CREATE, headers, signal: controller.signal }
  const gone = fetch(`${server.url}/rpc`, options)
  const closed = once(await arrived.promise, 'close')
  controller.abort()
  await assert.rejects(gone)
  await closed
  resolve('admin')
  await callsOf(server).result('awf.task/list', {})
  assert.equal(await tasker.countTasks({}), 0)
})

test('a request whose signal fires is dropped', async t => {
  const { tasker, http, call } = await mounted(t)
  const asked = signal =>
    http.fetch(
      new Request('http://a/rpc', { method: 'POST', body: POLL, headers: AS_JSON, signal }),
    )
  const controller = new AbortController()
  const gone = asked(controller.signal)
  await polled(tasker)
  controller.abort()
  assert.equal((await gone).status, 499)
  await polled(tasker, false)
  assert.equal((await asked(AbortSignal.abort())).status, 499)
  const uuid = await tasker.addTask({ operation: 'a', data: {} })
  assert.equal(claimed(await call('awf.task/poll', {})), uuid)
})

test('fetch: heads, bodies, and one that was read before', async t => {
  const { http, tasker } = await mounted(t)
  const send = (path, options) => http.fetch(new Request(`http://a.example${path}`, options))
  const live = await send('/tasks/health/live?x=1')
  assert.deepEqual([live.status, await live.text()], [200, 'ok\n'])
  const head = await send('/tasks/health/live', { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
  assert.equal((await send('/tasks/other')).status, 404)
  const rpc = { method: 'POST', body: LIST, headers: AS_JSON }
  const origin = headers => send('/rpc', { ...rpc, headers: { ...AS_JSON, ...headers } })
  assert.equal((await origin({ origin: 'http://a.example' })).status, 200)
  assert.equal((await origin({ origin: 'http://b.example' })).status, 403)
  const streamed = new Blob([LIST.slice(0, 5), LIST.slice(5)]).stream()
  assert.equal((await send('/rpc', { ...rpc, body: streamed, duplex: 'half' })).status, 200)
  const broken = new ReadableStream({ start: controller => controller.error(new Error('cut')) })
  assert.equal((await send('/rpc', { ...rpc, body: broken, duplex: 'half' })).status, 400)
  const large = await send('/rpc', { ...rpc, body: ' '.repeat(35 << 20) })
  assert.deepEqual([large.status, large.headers.get('connection')], [413, null])
  const read = new Request('http://a/rpc', rpc)
  await read.text()
  const told = next(tasker, 'error')
  assert.equal((await http.fetch(read)).status, 500)
  assert.equal((await told)[0].path, 'request.body')
  const locked = new Request('http://a/rpc', rpc)
  const reader = locked.body.getReader()
  assert.equal((await http.fetch(locked)).status, 500)
  reader.releaseLock()
})

test('a body that a parser has read is taken from the request', async t => {
  const tasker = open(t)
  const http = tasker.http({ access: () => 'admin' })
  const left = {
    object: text => JSON.parse(text),
    text: text => text,
    buffer: text => Buffer.from(text),
    nothing: () => undefined,
  }
  const server = await serving(t, async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    request.body = left[request.headers['x-left']](Buffer.concat(chunks).toString())
    http.node(request, response)
  })
  const { post } = callsOf(server)
  for (const kind of ['object', 'text', 'buffer']) {
    assert.equal((await post(CREATE, { 'x-left': kind })).status, 200, kind)
  }
  const told = next(tasker, 'error')
  assert.equal((await post(CREATE, { 'x-left': 'nothing' })).status, 500)
  assert.equal((await told)[0].path, 'request.body')
  assert.equal(await tasker.countTasks({}), 3)
})

test('what has no path here goes on to the next handler', async t => {
  const tasker = open(t)
  const { node } = tasker.http({ access: () => 'admin' })
  const server = await serving(t, (request, response) =>
    node(request, response, () => response.end('next')),
  )
  assert.equal(await (await fetch(`${server.url}/other`)).text(), 'next')
  await callsOf(server).result('awf.task/list', {})
})

for (const verb of ['stop', 'close']) {
  test(`${verb} answers a poll that waits with an empty list, and later ones with 503`, async t => {
    const { tasker, url, call, post, http } = await mounted(t)
    const poll = call('awf.task/long-poll', {})
    await polled(tasker)
    await tasker[verb]()
    assert.deepEqual(await poll, { status: 200, result: { resources: [] } })
    const { status, error } = await call('awf.task/long-poll', {})
    assert.deepEqual([status, error.code], [503, 'TASKER_CLOSED'])
    const yaml = await post(LIST, { accept: 'text/yaml' })
    assert.match(await yaml.text(), /^error:\n {2}code: TASKER_CLOSED\n/)
    assert.equal((await fetch(`${url}/health/ready`)).status, 503)
    const live = await http.fetch(new Request('http://a/health/live'))
    assert.equal(live.status, verb === 'stop' ? 200 : 503)
    assert.equal((await fetch(`${url}/other`)).status, verb === 'stop' ? 404 : 503)
    await tasker[verb]()
    if (verb === 'close') return
    await tasker.start()
    assert.equal((await call('awf.task/list', {})).status, 200)
    assert.equal((await fetch(`${url}/health/ready`)).status, 200)
  })
}

test('several mounts of a tasker have each its own access', async t => {
  const { tasker, call } = await mounted(t, () => 'none')
  const other = tasker.http({ access: () => 'read' })
  const server = await serving(t, other.node)
  assert.equal((await call('awf.task/list', {})).status, 403)
  assert.equal((await callsOf(server).call('awf.task/list', {})).status, 200)
})

test('a mount keeps no process alive, but answers what it owes', async () => {
  const script = `${imports}
const tasker = new Tasker({ store: ':memory:' })
const http = tasker.http({ access: () => 'admin' })
const asked = http.fetch(new Request('http://a/rpc', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"method":"awf.task/list"}',
}))
asked.then(answer => console.log(answer.status))
process.on('exit', () => console.log('ended'))
`
  assert.equal(await runs(script), '200\nended\n')
})
