// How runners that are modules are typed. Compiled by `tsc -p tsconfig.json`, never run.

import { type Runner, Tasker } from '../../index'

interface Operations {
  resize: { data: { width: number }; result: string }
  tidy: { result: undefined }
}

declare const module: URL
const tasker = new Tasker<Operations>({ runners: { resize: module, tidy: () => {} } })

tasker.assignRunner('resize', module)
tasker.assignRunner('resize', module, { threads: 4, concurrency: 8 })
tasker.assignRunner('tidy', () => {}, { concurrency: 1 })
// @ts-expect-error no such operation
tasker.assignRunner('reduce', module)
// @ts-expect-error a path is no module
tasker.assignRunner('resize', './resize.mjs')
// @ts-expect-error threads are counted
tasker.assignRunner('resize', module, { threads: true })
// @ts-expect-error they are of one tasker
tasker.defineOperation('resize', { threads: 1 })

// What a module exports by default.
export default (({ data, checkpoint }) =>
  checkpoint().then(() => `${data.width}`)) satisfies Runner<Operations, 'resize'>
// @ts-expect-error its result is a text
export const wrong = (({ data }) => data) satisfies Runner<Operations, 'resize'>
