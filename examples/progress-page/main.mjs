// A page that shows tasks as they run, in any browser and with any number of processes.
//
//   node examples/progress-page/main.mjs [store] [port]
//
// The page adds tasks and listens to one stream of server-sent events. The id of each event is its
// position in the watch, and a browser whose connection was lost sends the last one that it had: so
// it misses nothing, also if this server was started again meanwhile.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as rest } from 'node:timers/promises'
import { Tasker } from 'tasker'

const [store = 'progress.db', port = '3000'] = process.argv.slice(2)
const PAGES = 20

const tasker = new Tasker({ store })
tasker.assignRunner('read-book', async ({ data, progress, abortSignal }) => {
  for (let page = 1; page <= PAGES; page += 1) {
    await rest(data.slow ? 200 : 1, undefined, { signal: abortSignal })
    progress(page, PAGES, 'page')
  }
})
await tasker.start()

/** Tells the tasks of this page, and what happens to them, until the browser has gone. */
async function events(request, response) {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const watch = tasker.watch(
    { operation: 'read-book' },
    {
      from: request.headers['last-event-id'],
      fields: ['data.title', 'progress'],
      abortSignal: gone.signal,
    },
  )
  try {
    for await (const { position, ...entry } of watch) {
      const isFull = !response.write(`id: ${position}\ndata: ${JSON.stringify(entry)}\n\n`)
      if (isFull) await once(response, 'drain', { signal: gone.signal })
    }
  } catch (error) {
    if (gone.signal.aborted) return
    // A position of another file, or one that was made up: the browser begins anew.
    response.end(`event: refused\ndata: ${JSON.stringify(error.message)}\n\n`)
  }
}

async function add(request, response) {
  const { title, slow = false } = JSON.parse(await text(request))
  const uuid = await tasker.addTask({
    operation: 'read-book',
    data: { title: String(title), slow },
    retention: '1h',
  })
  response.writeHead(202, { 'content-type': 'application/json' }).end(JSON.stringify({ uuid }))
}

async function page(response) {
  const html = await readFile(new URL('page.html', import.meta.url))
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html)
}

const server = createServer(async (request, response) => {
  try {
    const { method, url } = request
    if (method === 'GET' && url === '/') await page(response)
    else if (method === 'GET' && url === '/events') await events(request, response)
    else if (method === 'POST' && url === '/books') await add(request, response)
    else response.writeHead(404).end()
  } catch (error) {
    if (!response.headersSent) response.writeHead(500)
    response.end(error.message)
  }
})
server.listen(Number(port))
await once(server, 'listening')
console.log(`http://localhost:${server.address().port}`)

process.once('SIGTERM', async () => {
  server.closeAllConnections()
  server.close()
  await tasker.close()
})
