// An HTTP server that accepts work and answers how it stands:
// `node examples/http.mjs [port] [file]`
//
//   POST   /thumbnails          202 { uuid }; the body is the data of the task, JSON
//   GET    /thumbnails/<uuid>   200 { status, progress, result, error }
//   DELETE /thumbnails/<uuid>   204, or 409 if it had ended
//
// A client that gets 202 has its task on disk. SIGTERM lets requests and tasks finish.

import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { Tasker, TaskerError } from 'tasker'

const [port = '8080', store = 'http.db'] = process.argv.slice(2)
const tasker = new Tasker({ store, concurrency: 8, runTimeout: '1m' })

tasker.assignRunner('thumbnail', async ({ data, abortSignal, progress }) => {
  const files = []
  for (const width of data.widths) {
    await pause(20, undefined, { signal: abortSignal }) // the work
    files.push(`${data.image}-${width}.webp`)
    progress(files.length, data.widths.length, 'files')
  }
  return { files }
})

const BYTES_MAX = 65_536

const routes = {
  async POST(request) {
    if (!(Number(request.headers['content-length']) <= BYTES_MAX)) return [413]
    const data = await json(request).catch(() => undefined)
    if (typeof data?.image !== 'string' || !Array.isArray(data.widths)) return [400]
    const uuid = await tasker.addTask({ operation: 'thumbnail', data })
    return [202, { uuid }, { location: `/thumbnails/${uuid}` }]
  },
  async GET(_, uuid) {
    const { status, progress, result, error } = await tasker.getTask(uuid)
    return [200, { status, progress, result, error: error?.message }]
  },
  async DELETE(_, uuid) {
    return [(await tasker.abortTask(uuid, 'by the client')) ? 204 : 409]
  },
}

const codes = { TASKER_NOT_FOUND: 404, TASKER_INVALID: 400, TASKER_TOO_LARGE: 413 }

/** Status, body and headers of the answer to a request. */
async function answer(request) {
  const [, uuid] = /^\/thumbnails(?:\/([^/]+))?$/.exec(request.url) ?? [undefined, '-']
  const route = routes[request.method]
  if (uuid === '-' || !route || (request.method === 'POST') !== (uuid === undefined)) return [404]
  try {
    return await route(request, uuid)
  } catch (error) {
    if (!(error instanceof TaskerError)) throw error
    return [codes[error.code] ?? 503, { code: error.code }]
  }
}

const server = createServer(async (request, response) => {
  const [status, body, headers] = await answer(request).catch(error => {
    console.error(error)
    return [500]
  })
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body && JSON.stringify(body))
})

await tasker.start()
server.listen(Number(port), '127.0.0.1', () => console.log(`listening on ${server.address().port}`))

process.once('SIGTERM', async () => {
  await new Promise(resolve => server.close(resolve))
  await tasker.close({ timeout: '10s' })
})
