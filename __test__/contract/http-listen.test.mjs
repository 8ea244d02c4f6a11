/** Servers: where they listen, how they end, what they keep alive. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { AS_JSON, callsOf, listening } from './http.mjs'
import { imports, open, refused, runs } from './open.mjs'

test('a server has a port, a url and a token that was made', async t => {
  const { server, result } = await listening(t)
  assert.equal(server.url, `http://127.0.0.1:${server.port}`)
  assert.ok(server.token.length >= 32)
  assert.deepEqual(await result('awf.task/list', {}), { resources: [] })
  assert.ok(!inspect(server).includes(server.token), 'a token is shown')
})

test('every wrong option is told with its path', async t => {
  const tasker = open(t)
  for (const [options, path] of [
    [7, 'options'],
    [{ port: 70_000 }, 'port'],
    [{ port: '80' }, 'port'],
    [{ host: 'example.com' }, 'host'],
    [{ token: 'short' }, 'token'],
    [{ token: () => 'secret' }, 'token'],
    [{ token: [] }, 'token'],
    [{ token: [{ name: 'a', role: 'boss', token: 'x'.repeat(22) }] }, 'token[0].role'],
    [{ allowedHosts: 'a' }, 'allowedHosts'],
    [{ tls: {} }, 'tls'],
    // Others reach these.
    [{ host: '0.0.0.0', port: 0 }, 'token'],
    [{ host: '::', port: 0 }, 'token'],
  ]) {
    await refused(tasker.listen(options), 'TASKER_INVALID', path)
  }
})

test('a port that is taken is told, and a free one is found', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const tasker = open(t)
  await refused(tasker.listen({ port: other.address().port }), 'TASKER_IO', 'port')
  await refused(tasker.listen({ host: '192.0.2.1', port: 0, token: 'x'.repeat(22) }), 'TASKER_IO')
  const server = await tasker.listen({ port: 0 })
  assert.notEqual(server.port, other.address().port)
})

test('a public address is taken with a token, by whatever name it is called', async t => {
  const token = 'x'.repeat(22)
  const { server, result } = await listening(t, {}, { host: '0.0.0.0', token })
  assert.equal(server.url, `http://127.0.0.1:${server.port}`)
  assert.deepEqual(await result('awf.task/list', {}), { resources: [] })
})

test('a server that is closed leaves its port, and calls of close are one', async t => {
  const tasker = open(t)
  const server = await tasker.listen({ port: 0 })
  const { port } = server
  assert.equal(server.close(), server.close())
  await server.close()
  await assert.rejects(fetch(server.url))
  const again = await tasker.listen({ port })
  assert.equal(again.port, port)
  await callsOf(again).result('awf.task/list', {})
})

for (const verb of ['stop', 'close']) {
  test(`${verb} of the tasker closes its servers`, async t => {
    const tasker = open(t)
    const servers = await Promise.all([tasker.listen({ port: 0 }), tasker.listen({ port: 0 })])
    const { result } = callsOf(servers[0])
    await result('awf.task/list', {})
    await tasker[verb]()
    for (const server of servers) await assert.rejects(fetch(server.url))
    await servers[0].close()
  })
}

test('what listens to a closed tasker is refused', async t => {
  const tasker = open(t)
  await tasker.close()
  await refused(tasker.listen({ port: 0 }), 'TASKER_CLOSED')
})

const LISTEN = `${imports}
const tasker = new Tasker({ store: ':memory:' })
const server = await tasker.listen({ port: 0 })
`

test('a process that listens stays alive until its server is closed', async () => {
  const script = `${LISTEN}
const call = () => fetch(server.url + '/rpc', {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: 'Bearer ' + server.token,
    connection: 'close' },
  body: '{"method":"awf.task/list"}',
})
// Nothing of this process waits meanwhile.
console.log((await call()).status)
await server.close()
console.log(process.getActiveResourcesInfo().filter(name => name !== 'PipeWrap').join())
process.on('exit', () => console.log('ended'))
`
  const [status, , ended] = (await runs(script)).split('\n')
  assert.deepEqual([status, ended], ['200', 'ended'])
})

test('a process whose tasker is closed by its end leaves no server', async () => {
  const script = `${LISTEN}
setImmediate(() => process.exit(0))
`
  assert.equal(await runs(script), '')
})

test('a server answers while the event loop is blocked', async () => {
  const script = `${LISTEN}
import { spawnSync } from 'node:child_process'
const call = \`fetch('\${server.url}/rpc', { method: 'POST', headers: {
  'content-type': 'application/json', authorization: 'Bearer \${server.token}' },
  body: '{"method":"awf.task/create-and-execute","params":{"definition":"a","params":{}}}',
}).then(answer => answer.json()).then(({ result }) => console.log(result.resource.status))\`
// The loop stands still until the other process has its answer.
const { stdout } = spawnSync(process.execPath, ['--eval', call], { encoding: 'utf8' })
console.log(stdout.trim())
await tasker.close()
`
  assert.equal((await runs(script)).trim(), 'ready')
})

test('requests that are under way are answered when a server closes', async t => {
  const { server, post } = await listening(t)
  const body = '{"method":"awf.task/list"}'
  const answers = Array.from({ length: 20 }, () => post(body))
  // What has not reached the server by then is no request of it.
  const settled = Promise.allSettled(answers)
  await Promise.any(answers)
  await server.close()
  const answered = (await settled).filter(({ status }) => status === 'fulfilled')
  assert.ok(answered.length > 0)
  for (const { value } of answered) assert.equal(value.status, 200)
})

test('what is no path of ours is told', async t => {
  const { server } = await listening(t)
  for (const path of ['/', '/rpcs', '/health', '/AidboxTask']) {
    const answer = await fetch(server.url + path, { headers: AS_JSON })
    assert.equal(answer.status, 404)
    assert.equal((await answer.json()).error.code, 'unknown-path')
  }
  const { result } = callsOf({ ...server, url: `${server.url}/some/prefix`, token: server.token })
  assert.deepEqual(await result('awf.task/list', {}), { resources: [] })
})
