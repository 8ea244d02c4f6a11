// One life of another process of the application, which has no tasker: it writes orders and the
// rows of their tasks, until it is killed.

import { setTimeout as pause } from 'node:timers/promises'
import { randomFrom } from '../storm/runners.mjs'
import { numbersFrom, openApp, orderAll, writeRow } from './app.mjs'

const { app, life, seed } = JSON.parse(process.argv[2])
const random = randomFrom(seed)
const below = n => Math.floor(random() * n)
const numbers = numbersFrom(life * 1_000_000 + 500_000)
const db = openApp(app)
const add = definition => writeRow(db, definition)
for (;;) {
  orderAll(db, numbers(1 + below(10)), add, below(4) === 0)
  await pause(below(5))
}
