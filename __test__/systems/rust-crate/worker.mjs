// What the example `worker` of the crate `task` is, of this class: it runs `many`, three at a time
// in all processes, and `one`, says which run has begun, and ends each when its input says `go`.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Tasker } from '../../../index.mjs'

const tasker = new Tasker({ store: process.argv[2], concurrency: 2 })
const input = createInterface({ input: process.stdin })

const run = async ({ uuid, operation, attempt }) => {
  const gone = once(input, 'go')
  process.stdout.write(`began ${operation} ${uuid}\n`)
  await gone
  return { by: 'node', attempt }
}
tasker.assignRunner('many', run, { concurrency: 3 })
tasker.assignRunner('one', run, { concurrency: 1 })
await tasker.start()
process.stdout.write('ready\n')
input.on('line', line => input.emit(line))
await once(input, 'close')
await tasker.close()
