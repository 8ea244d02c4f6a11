#![allow(clippy::disallowed_methods, missing_docs, clippy::all)]
#[path = "../tests/hand/mod.rs"]
mod hand;
use hand::*;
use tasker_core::store::*;
fn main() {
    let (_f, path) = folder();
    let dur = std::env::args().nth(1).unwrap_or_default();
    let d = if dur == "full" {
        tasker_sqlite::Durability::Full
    } else {
        tasker_sqlite::Durability::Process
    };
    let mut h = Hand::on(
        tasker_sqlite::open(
            &tasker_sqlite::Place::File(path.clone()),
            tasker_sqlite::Options { durability: d },
        )
        .unwrap(),
    );
    let lane = h.lane(1, "read-book");
    let data = r#"{"book":"b42","n":123,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#;
    let n: usize = 100_000;
    let b = 1000;
    let mut tt = [0f64; 3];
    let t0 = std::time::Instant::now();
    let mut prep = 0f64;
    for _ in 0..n / b {
        let t = std::time::Instant::now();
        let (tasks, adds): (Vec<_>, Vec<_>) =
            (0..b).map(|_| h.adding(&lane, def(data, 0.0))).unzip();
        prep += t.elapsed().as_secs_f64();
        let t = std::time::Instant::now();
        h.turn(adds);
        tt[0] += t.elapsed().as_secs_f64();
        let (runs, starts): (Vec<_>, Vec<_>) = tasks.iter().map(|t| h.starting(t.seq, 1)).unzip();
        let t = std::time::Instant::now();
        h.turn(starts);
        tt[1] += t.elapsed().as_secs_f64();
        let ends = tasks.iter().zip(runs).map(|(t, r)| h.ending(t.seq, Some(r), done())).collect();
        let t = std::time::Instant::now();
        h.turn(ends);
        tt[2] += t.elapsed().as_secs_f64();
        h.store.tidy(false).unwrap();
    }
    let s = t0.elapsed().as_secs_f64();
    println!(
        "lives/s {:.0} (prep {prep:.2}) us each: add {:.2} start {:.2} end {:.2}",
        n as f64 / s,
        tt[0] / n as f64 * 1e6,
        tt[1] / n as f64 * 1e6,
        tt[2] / n as f64 * 1e6
    );
    let t = std::time::Instant::now();
    h.store.tidy(true).unwrap();
    println!("tidy {:?}", t.elapsed());
    let t = std::time::Instant::now();
    println!("count data {} {:?}", h.count(r#"{"data.n":123}"#), t.elapsed());
    let t = std::time::Instant::now();
    println!("count op {} {:?}", h.count(r#"{"operation":"x"}"#), t.elapsed());
    let t = std::time::Instant::now();
    println!("find 10 {:?} {:?}", h.find("{}", None, Some(10)).len(), t.elapsed());
    let t = std::time::Instant::now();
    println!("find all {:?} {:?}", h.find("{}", None, None).len(), t.elapsed());

    for logs in [None, Some(WithLogs { level_max: tasker_core::task::Level::Debug })] {
        for limit in [None, Some(100_000)] {
            let f = Find {
                query: tasker_core::query::Query::parse("{}").unwrap(),
                sort: None,
                skip: 0,
                limit,
                logs,
            };
            let t = std::time::Instant::now();
            let x = h.reader.find(&f, &|| false).unwrap();
            println!("find all {logs:?} {limit:?} {} {:?}", x.len(), t.elapsed());
            let t = std::time::Instant::now();
            drop(x);
            println!("drop {:?}", t.elapsed());
        }
    }
}
