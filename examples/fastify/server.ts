// A page that adds a task and shows its progress, by server-sent events (SSE).
//
//   GET  /                        the page
//   POST /imports                 202 { uuid }
//   GET  /imports/<uuid>/events   the task's progress as it happens, then how it ended

import { on } from 'node:events'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import fastify from 'fastify'
import { tasker } from './tasks.js'

const page = readFileSync(new URL('../page.html', import.meta.url), 'utf8')
const message = (event: string, data: unknown) =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

async function* follow(uuid: string, signal: AbortSignal) {
  // Listen first, then look: nothing can happen unseen in between.
  const reports = on(tasker, `task.${uuid}.progress`, { signal, close: [`task.${uuid}.ended`] })
  try {
    const { status, progress } = await tasker.getTask(uuid)
    if (progress) yield message('progress', progress)
    if (status === 'new' || status === 'running') {
      for await (const [report] of reports) {
        const isNew = report.current > (progress?.current ?? 0) // Not what the look has shown.
        if (isNew) yield message('progress', report)
      }
    }
    const task = await tasker.getTask(uuid)
    yield message('ended', { status: task.status, result: task.result, error: task.error?.message })
  } catch (error) {
    if (!signal.aborted) throw error // The browser went away, or the server closes.
  } finally {
    await reports.return?.()
  }
}

const app = fastify()
const followers = new Set<AbortController>()
app.addHook('preClose', async () => {
  for (const follower of followers) follower.abort()
})

app.get('/', (_, reply) => reply.type('text/html').send(page))

const body = {
  type: 'object',
  required: ['rows'],
  properties: { rows: { type: 'array', items: { type: 'string' } } },
}
app.post<{ Body: { rows: string[] } }>('/imports', { schema: { body } }, async (request, reply) => {
  const uuid = await tasker.addTask({ operation: 'import', data: { rows: request.body.rows } })
  return reply.code(202).send({ uuid })
})

app.get<{ Params: { uuid: string } }>('/imports/:uuid/events', async (request, reply) => {
  const { uuid } = request.params
  if (!(await tasker.hasTask({ uuid }))) return reply.callNotFound()
  const follower = new AbortController()
  followers.add(follower)
  reply.raw.once('close', () => {
    followers.delete(follower)
    follower.abort()
  })
  reply.type('text/event-stream').headers({ 'cache-control': 'no-cache', connection: 'close' })
  return reply.send(Readable.from(follow(uuid, follower.signal)))
})

await tasker.start()
const { PORT = '3000', HOST = '127.0.0.1' } = process.env
console.log(`listening on ${await app.listen({ port: Number(PORT), host: HOST })}`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await app.close() // Requests get their answers first.
    await tasker.close({ timeout: '10s' })
  })
}
