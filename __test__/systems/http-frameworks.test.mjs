// The service of HTTP, mounted in Express, Hono and Fastify: the same requests have the same
// answers in each, with the parsers of bodies that people have there.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { polled } from '../contract/http.mjs'

const require = createRequire(new URL('http-frameworks/package.json', import.meta.url))
const express = require('express')
const { fastify } = require('fastify')
const { Hono } = require('hono')
const { serve } = require('@hono/node-server')

const LIST = '{"method":"awf.task/list"}'
const CREATE = '{"method":"awf.task/create-and-execute","params":{"definition":"a","params":{}}}'
const POLL = '{"method":"awf.task/long-poll","params":{"taskDefinitions":["a"],"timeout":600000}}'

/** What the header `user` says: as frameworks have headers in two ways. */
const userOf = ({ headers }) => (headers.get ? headers.get('user') : headers.user)

function access(request) {
  const user = userOf(request)
  if (user === 'broken') throw new Error('no database')
  return user === 'ann' ? { role: 'admin', by: 'ann' } : 'none'
}

async function listening(server) {
  if (!server.listening) await once(server, 'listening')
  const end = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://127.0.0.1:${server.address().port}`, end }
}

const overExpress = parsers => async http => {
  const app = express()
  for (const parser of parsers) app.use(parser)
  app.use('/tasks', http.node)
  app.use((_request, response) => response.status(404).send('mine'))
  return await listening(app.listen(0, '127.0.0.1'))
}

/** How each is served. */
const SERVERS = {
  'node:http': http => {
    const listener = (request, response) =>
      http.node(request, response, () => response.writeHead(404).end('mine'))
    return listening(createServer(listener).listen(0, '127.0.0.1'))
  },
  Express: overExpress([]),
  'Express, with express.json()': overExpress([express.json({ limit: '40mb' })]),
  'Express, with parsers of everything': overExpress([
    express.json({ limit: '40mb' }),
    express.urlencoded({ extended: true }),
    express.text({ type: 'text/yaml' }),
    express.raw(),
  ]),
  Hono: http => {
    const app = new Hono()
    app.all('/tasks/*', c => http.fetch(c.req.raw))
    app.notFound(c => c.text('mine', 404))
    return listening(serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }))
  },
  Fastify: async http => {
    const app = fastify({ forceCloseConnections: true })
    app.register(http.fastify, { prefix: '/tasks' })
    app.post('/own', async ({ body }) => body)
    app.setNotFoundHandler((_request, reply) => reply.code(404).send('mine'))
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    return { url, end: () => app.close() }
  },
}

/** A tasker that is mounted in a server, and what sends it a body. */
async function mounted(t, start) {
  const tasker = new Tasker(':memory:')
  await tasker.defineOperation('a', { executor: true })
  const faults = []
  tasker.on('error', fault => faults.push(fault))
  const { url, end } = await start(tasker.http({ access }))
  t.after(async () => {
    await tasker.close()
    await end()
  })
  const post = (body, headers = {}, more = {}) =>
    fetch(`${url}/tasks/rpc`, {
      method: 'POST',
      headers: { user: 'ann', 'content-type': 'application/json', ...headers },
      body,
      ...more,
    })
  return { tasker, url, post, faults }
}

const answered = async response => [response.status, (await response.json()).error?.code]

for (const [name, start] of Object.entries(SERVERS)) {
  describe(name, () => {
    test('calls in JSON and YAML, and health', async t => {
      const { url, post, tasker } = await mounted(t, start)
      assert.equal((await post(CREATE)).status, 200)
      const yaml = { 'content-type': 'text/yaml' }
      const added = await post(
        '{method: awf.task/create-and-execute, params: ' + '{definition: b, params: {n: 12.50}}}',
        yaml,
      )
      assert.match(await added.text(), /^result:\n {2}resource:\n/)
      assert.equal(await tasker.countTasks({}), 2)
      const [{ data }] = await tasker.findTasks({ operation: 'b' })
      assert.deepEqual(data, { n: 12.5 })
      for (const what of ['live', 'ready']) {
        const health = await fetch(`${url}/tasks/health/${what}`)
        assert.deepEqual([health.status, await health.text()], [200, 'ok\n'])
        const { status } = await fetch(`${url}/tasks/health/${what}`, { method: 'HEAD' })
        assert.equal(status, 200)
      }
    })

    test('an array of large calls', async t => {
      const { post, tasker } = await mounted(t, start)
      const call = { definition: 'a', params: { text: 'é'.repeat(100_000) } }
      const calls = Array(50).fill({ method: 'awf.task/create-and-execute', params: call })
      const response = await post(JSON.stringify(calls))
      assert.equal((await response.json()).length, 50)
      assert.equal(await tasker.countTasks({ 'data.text': call.params.text }), 50)
    })

    test('who may not, and what is no request of ours', async t => {
      const { url, post, tasker, faults } = await mounted(t, start)
      assert.deepEqual(await answered(await post(CREATE, { user: 'bob' })), [403, 'forbidden'])
      const broken = await answered(await post(CREATE, { user: 'broken' }))
      assert.deepEqual([broken, faults[0].message], [[500, 'mount-failed'], 'no database'])
      const foreign = { origin: 'http://evil.example' }
      assert.deepEqual(await answered(await post(CREATE, foreign)), [403, 'forbidden'])
      const form = { 'content-type': 'application/x-www-form-urlencoded' }
      assert.deepEqual(await answered(await post('a=1', form)), [415, 'wrong-type'])
      const get = await fetch(`${url}/tasks/rpc`)
      assert.deepEqual(await answered(get), [405, 'wrong-verb'])
      const large = await post(CREATE + ' '.repeat(18 << 20))
      // What a parser has made smaller is small.
      if (!name.includes('json()') && !name.includes('parsers')) {
        assert.deepEqual(await answered(large), [413, 'too-large'])
      }
      assert.equal((await fetch(`${url}/tasks/other`)).status, 404)
      assert.equal((await fetch(`${url}/other`)).status, 404)
      assert.equal(await (await fetch(`${url}/other`)).text(), 'mine')
      assert.equal(faults.length, 1)
      assert.equal(await tasker.countTasks({}), large.status === 200 ? 1 : 0)
    })

    test('a poll whose caller hangs up gets no task', async t => {
      const { post, tasker } = await mounted(t, start)
      const controller = new AbortController()
      const gone = post(POLL, {}, { signal: controller.signal })
      await polled(tasker)
      controller.abort()
      await assert.rejects(gone)
      await polled(tasker, false)
      const uuid = await tasker.addTask({ operation: 'a', data: {} })
      const { result } = await (await post(POLL)).json()
      assert.equal(result.resources[0].id, uuid)
    })

    test('a poll that waits is answered when the tasker closes', async t => {
      const { post, tasker } = await mounted(t, start)
      const poll = post(POLL)
      await polled(tasker)
      await tasker.close()
      assert.deepEqual(await (await poll).json(), { result: { resources: [] } })
      assert.deepEqual(await answered(await post(LIST)), [503, 'TASKER_CLOSED'])
    })
  })
}

test('Fastify: the parsers around the plugin stay as they are', async t => {
  const { url } = await mounted(t, SERVERS.Fastify)
  const headers = { 'content-type': 'application/json' }
  const own = await fetch(`${url}/own`, { method: 'POST', headers, body: '{"a":1}' })
  assert.deepEqual(await own.json(), { a: 1 })
  const other = await fetch(`${url}/own`, { method: 'POST', body: 'a' })
  assert.notEqual(other.status, 415)
  const yaml = await fetch(`${url}/own`, {
    method: 'POST',
    headers: { 'content-type': 'text/yaml' },
    body: 'a: 1',
  })
  assert.equal(yaml.status, 415)
})
