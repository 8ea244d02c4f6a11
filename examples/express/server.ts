// An HTTP API that adds tasks and reports their status.
//
//   POST   /thumbnails         202 and the task; with ?wait, 200 if it ends within two seconds
//   GET    /thumbnails/<uuid>  200 { uuid, status, progress, result, error }
//   DELETE /thumbnails/<uuid>  204, or 409 if it had ended

import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import { TaskerError } from 'tasker'
import { tasker } from './tasks.js'

async function describe(uuid: string) {
  const { status, progress, result, error } = await tasker.getTask(uuid)
  return { uuid, status, progress, result, error: error?.message }
}

const app = express().use(express.json())

app.post('/thumbnails', async (request, response) => {
  const { image, widths } = request.body ?? {}
  if (typeof image !== 'string' || !Array.isArray(widths)) {
    response.status(400).json({ error: 'image and widths are required' })
    return
  }
  const uuid = await tasker.addTask({ operation: 'thumbnails', data: { image, widths } })
  if (request.query.wait !== undefined) {
    // The answer says whether it is done, failed or still runs.
    await tasker.waitForTaskOutputData(uuid, { timeout: '2s' }).catch(() => {})
  }
  const task = await describe(uuid)
  const hasEnded = task.status !== 'new' && task.status !== 'running'
  response
    .status(hasEnded ? 200 : 202)
    .location(`/thumbnails/${uuid}`)
    .json(task)
})

app.get('/thumbnails/:uuid', async (request, response) => {
  response.json(await describe(request.params.uuid))
})

app.delete('/thumbnails/:uuid', async (request, response) => {
  const isAborted = await tasker.abortTask(request.params.uuid, 'by the client')
  response.sendStatus(isAborted ? 204 : 409)
})

const statusCodes = { TASKER_NOT_FOUND: 404, TASKER_INVALID: 400, TASKER_TOO_LARGE: 413 }

app.use(((error, _request, response, next) => {
  if (!(error instanceof TaskerError)) return next(error)
  const status = statusCodes[error.code as keyof typeof statusCodes] ?? 503
  response.status(status).json({ error: error.message, code: error.code })
}) satisfies ErrorRequestHandler)

await tasker.start()
const { PORT = '3000', HOST = '127.0.0.1' } = process.env
const server = app.listen(Number(PORT), HOST, error => {
  if (error) throw error
  console.log(`listening on http://${HOST}:${(server.address() as AddressInfo).port}`)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await new Promise(resolve => server.close(resolve)) // Requests get their answers first.
    await tasker.close({ timeout: '10s' })
  })
}
