// A worker of the client: `node worker.mjs URL TOKEN sum | throw | hang`.

import { Client } from '@aidbox/sdk-r4'

const [url, token, kind] = process.argv.slice(2)
const credentials = { username: 'token', password: token }
const client = new Client(url, { auth: { method: 'basic', credentials } })

const handlers = {
  sum: ({ params }) => ({ sum: params.numbers.reduce((a, b) => a + b, 0) }),
  throw: () => {
    throw new Error('no file')
  },
  // Tells that it has a task, and never ends.
  hang: ({ id }) => {
    console.log(id)
    return new Promise(() => {})
  },
}
client.task.implement('import', handlers[kind], { pollInterval: 20, batchSize: 3 })
