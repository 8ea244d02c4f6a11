/**
 * `tasker/testing`: taskers on a clock that stands until a test moves it.
 *
 * The engine, its file and its threads are the real ones. All that a task can see of time follows
 * the clock of the test: delays, retries, timeouts, retention. What nobody sees of it goes on in
 * real time: the disk, locks, the timeouts of calls.
 *
 * # Promises
 * - The clock stands at each moment at which something is due, until everything that is due then
 *   has been done.
 * - It does not move while a run is live that has not been waited for.
 * - Nothing that a killed tasker had begun can change anything.
 *
 * Proof: `__test__/contract/testing.test.mjs`, `__test__/process/testing.test.mjs`.
 */

import process from 'node:process'
import type { AnyOperations, Registry, Tasker as TaskerContract, TaskerOptions } from '../index'
import type { TaskerTest, TestClock, TestOptions } from '../testing'
import { durationOf } from './calls'
import { invalid, refusal, TaskerError } from './errors'
import { dateOf, parse } from './globals'
import { type NativeTest, native } from './native'
import { only } from './options'
import { type Engine, Quiets } from './quiet'
import { refuseFakes } from './real-timers'
import { StandingClock } from './standing-clock'
import { partsOf, Tasker } from './tasker'
import { listOf, matchOf } from './test-tasks'
import { type World, within } from './world'

/** When the clock of a test begins, if it says nothing else. */
const NOW = '2030-01-01T00:00:00.000Z'
const SEED = 0
const PATIENCE_MS = 1_000
/** The end of the year 9999: later times fit neither ISO text nor a UUIDv7. */
const WALL_MS_MAX = 253_402_300_799_999
const MOMENTS_MAX = 100_000

/** What the file of a test decides. */
const ITS_OWN = ['store', 'exclusive', 'durability']

/** Opens a test: a new file, a clock that stands, and a first tasker. */
export async function openTest<Operations extends Registry<Operations> = AnyOperations>(
  given?: TestOptions<Operations>,
): Promise<TaskerTest<Operations>> {
  const options = only(given, ['seed', 'now', 'patience', 'options'], 'options')
  const { seed = SEED, now = NOW, patience = PATIENCE_MS } = options
  const seedOf = countOf(seed, 'seed', 0)
  const nowMs = momentOf(now)
  const patienceMs = durationOf(patience, 'patience')
  const its = taskerOptions(options.options, 'options.options')
  refuseFakes()
  const place = native().openTest(seedOf, nowMs)
  if (typeof place === 'string') throw refusal(parse(place))
  const test = new Test<Operations>(place, patienceMs)
  try {
    await test.begin(its)
  } catch (error) {
    await test.close()
    throw error
  }
  return test
}

/** A tasker of a test: what it is made of, and how to make it once more. */
interface Member extends Engine {
  readonly options: object
}

class Test<Operations extends Registry<Operations>> implements TaskerTest<Operations> {
  readonly #place: NativeTest
  readonly #members = new Map<object, Member>()
  readonly #quiets: Quiets
  readonly #standing: StandingClock
  #tasker: TaskerContract<Operations> | undefined
  /** Calls that move the clock, or kill, one after the other. */
  #last: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(place: NativeTest, patienceMs: number) {
    this.#place = place
    this.#quiets = new Quiets(place, this.#members, patienceMs)
    this.#standing = new StandingClock(() => this.#quiets.isUnderWay)
    atExit(this.#exit)
  }

  get tasker(): TaskerContract<Operations> {
    return this.#tasker as TaskerContract<Operations>
  }

  async begin(options: object): Promise<void> {
    this.#tasker = this.#make(options)
    await this.#tasker.ready()
  }

  readonly open = (options?: TaskerOptions<Operations>): TaskerContract<Operations> => {
    this.#check()
    return this.#make(taskerOptions(options, 'options'))
  }

  readonly clock: TestClock = {
    now: () => dateOf(this.#place.now()),
    advance: async by => {
      const ms = durationOf(by, 'by')
      await this.#inTurn(() => this.#advance(ms))
    },
    runAll: async given => {
      const { max = MOMENTS_MAX } = only(given, ['max'], 'options')
      const most = countOf(max, 'max', 1)
      await this.#inTurn(() => this.#runAll(most))
    },
  }

  readonly expectTask: TaskerTest<Operations>['expectTask'] = async query => {
    return await this.#inTurn(async () => {
      await this.#quiets.settle()
      return await matchOf(this.tasker, query)
    })
  }

  readonly crash = async (
    tasker: TaskerContract<Operations> = this.tasker,
  ): Promise<TaskerContract<Operations>> => {
    return await this.#inTurn(async () => {
      const member = this.#members.get(tasker)
      if (!member) throw invalid('tasker', 'is not an open tasker of this test')
      member.bridge.kill()
      const next = this.#make(member.options)
      if (tasker === this.#tasker) this.#tasker = next
      await next.ready()
      return next
    })
  }

  readonly close = (): Promise<void> => {
    this.#closing ??= this.#close()
    return this.#closing
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #make(options: object): TaskerContract<Operations> {
    const world: World = {
      isTest: true,
      open: (text, notifier) => this.#place.open(text, notifier),
      wallMs: () => this.#place.now(),
      waits: (uuid, wait) => this.#standing.waits(bridge, uuid, wait),
    }
    // The place knows the file: what is said here is not looked at.
    const all = { ...options, store: ':memory:', durability: 'process' } as const
    const tasker = within(world, () => new Tasker<Operations>(all))
    const { bridge, runs } = partsOf(tasker)
    this.#members.set(tasker, { options, bridge, runs })
    const closed = () => this.#members.delete(tasker)
    bridge.attach({ isAwaited: false, isOver: false, closed })
    return tasker as unknown as TaskerContract<Operations>
  }

  async #advance(ms: number): Promise<void> {
    const until = this.#place.now() + ms
    if (until > WALL_MS_MAX) throw invalid('by', 'must not lead beyond the year 9999')
    await this.#quiets.travel(until)
    this.#place.advanceTo(until)
    await Promise.all([...this.#members.values()].map(({ runs }) => runs.longWaits.look()))
  }

  async #runAll(max: number): Promise<void> {
    const all = await this.tasker.findSchedules()
    const endless = all.find(one => one.nextAt && !one.endAt && one.limit === undefined)
    if (endless) {
      const what = `the schedule '${endless.id}' has no end, so there is always something due`
      const message = `${what}; use clock.advance, or pause it before runAll`
      throw new TaskerError('TASKER_LIMIT', message)
    }
    const { next, moments } = await this.#quiets.travel(WALL_MS_MAX, max)
    if (next === undefined || next > WALL_MS_MAX) return
    const still = await listOf(this.tasker, { state: { $in: ['delayed', 'ready', 'running'] } })
    const message = `max: ${moments} moments have passed, and this keeps coming:${still}`
    throw new TaskerError('TASKER_LIMIT', message, { path: 'max' })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(() => {
      this.#check()
      return work()
    })
    this.#last = next.catch(() => {})
    return next
  }

  #check() {
    if (this.#closing) throw new TaskerError('TASKER_CLOSED', 'The test is closed; open a new one.')
  }

  /** What is left is nobody's any more: it ends as with a crash, and its runners hear of it. */
  async #close(): Promise<void> {
    this.#end()
    await this.#last
    left.delete(this.#exit)
    if (left.size === 0) process.off('exit', endAll)
    this.#place.close()
  }

  #end() {
    this.#standing.end()
    for (const { bridge } of [...this.#members.values()]) bridge.kill()
  }

  /** The process exits with the test left open: that too leaves no file behind. */
  readonly #exit = () => {
    this.#end()
    this.#place.close()
  }
}

/** What is to be done for the tests that are still open when the process exits. */
const left = new Set<() => void>()

function atExit(end: () => void) {
  if (left.size === 0) process.once('exit', endAll)
  left.add(end)
}

const endAll = () => {
  for (const end of left) end()
}

/** The options of a tasker of a test. */
function taskerOptions(given: unknown, path: string): object {
  const options = given === undefined ? {} : given
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(path, 'must be an object with the options of a tasker')
  }
  const own = ITS_OWN.find(name => (options as Record<string, unknown>)[name] !== undefined)
  if (own === undefined) return options
  throw invalid(own, 'is not an option here: a test has a file of its own, which its taskers share')
}

function countOf(value: unknown, path: string, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number
  throw invalid(path, `must be an integer, ${least} or more`)
}

/** A moment, in milliseconds since 1970. */
function momentOf(value: unknown): number {
  const ms = typeof value === 'number' ? value : dateOf(value as number).getTime()
  const isGiven = typeof value === 'string' || typeof value === 'number' || isDate(value)
  if (isGiven && Number.isInteger(ms) && ms >= 0 && ms <= WALL_MS_MAX) return ms
  throw invalid('now', 'must be a Date, an ISO text or milliseconds since 1970, until 9999')
}

const isDate = (value: unknown) => Object.prototype.toString.call(value) === '[object Date]'
