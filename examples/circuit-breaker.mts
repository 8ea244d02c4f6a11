// A service is down for a while: its circuit opens, and the work goes on when it is back.
//
//   npx tsx circuit-breaker.mts [store]
//
// What counts as a failure of the service is said by the fields of the error, and not by code. The
// circuit is stored: all processes on the file obey it, also after a restart.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Tasker } from 'tasker'

interface Operations {
  call: { data: { path: string } }
}

class HttpError extends Error {
  override name = 'HttpError'
  readonly status: number
  constructor(status: number) {
    super(`HTTP ${status}`)
    this.status = status
  }
}

const [store = 'circuit.db'] = process.argv.slice(2)

let isDown = true
let calls = 0
const server = createServer((_, response) => {
  calls += 1
  response.writeHead(isDown ? 503 : 200).end()
})
await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
const { port } = server.address() as AddressInfo

const tasker = new Tasker<Operations>({ store })
await tasker.defineOperation('call', {
  retry: { attempts: 10 },
  concurrency: 1,
  circuitBreaker: {
    failures: 3,
    within: '1m',
    openFor: 300,
    when: { name: 'HttpError', status: { $gte: 500 } },
  },
})
tasker.assignRunner('call', async ({ data, abortSignal }) => {
  const response = await fetch(`http://127.0.0.1:${port}${data.path}`, { signal: abortSignal })
  if (!response.ok) throw new HttpError(response.status)
})

tasker.on('operation.circuit.opened', (operation, { error }) => {
  console.log(`${operation} is stopped after ${calls} calls: ${(error as Error).message}`)
  isDown = false // Somebody has repaired it.
})
tasker.on('operation.circuit.halfOpened', operation => console.log(`${operation} is tried`))
tasker.on('operation.circuit.closed', operation => console.log(`${operation} works again`))

const paths = Array.from({ length: 5 }, (_, n) => `/${n}`)
const uuids = await tasker.addTasks(paths.map(path => ({ operation: 'call', data: { path } })))
await tasker.start()
await Promise.all(uuids.map(uuid => tasker.waitForTaskOutputData(uuid)))
console.log(`${uuids.length} tasks are done after ${calls} calls`)
await tasker.close()
server.close()
