// `npm run test:redis`: the store on Redis keeps the contract of stores. A server of Redis must be
// installed; TASKER_REDIS_SERVER names another one, of Valkey say.

import { need, redisTests, runSteps } from './steps.mjs'

if (!process.env.TASKER_REDIS_SERVER) need('redis-server')
await runSteps([
  { name: 'Redis: conformance, and what only a server has', seconds: 60, run: redisTests },
])
