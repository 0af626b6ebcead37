// Two threads take two std::sync::Mutexes in opposite order; main joins them. Rust's mutex keeps no
// owner: that this cannot end follows from every thread of the process being in such a wait.
use std::io::Write;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

extern "C" {
    fn prctl(option: i32, value: u64) -> i32;
}
const PR_SET_PDEATHSIG: i32 = 1;
const SIGKILL: u64 = 9;

fn lock_both(first: &Mutex<u64>, second: &Mutex<u64>, both_have_one: Option<&Barrier>) {
    loop {
        {
            let mut own = first.lock().unwrap();
            if let Some(barrier) = both_have_one {
                barrier.wait();
            }
            let mut other = second.lock().unwrap(); // LINE: thread waits
            *own += 1;
            *other += 1;
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_micros(200));
    }
}

fn main() {
    unsafe { prctl(PR_SET_PDEATHSIG, SIGKILL) };
    let healthy = std::env::args().any(|option| option == "--healthy");
    let account = Arc::new(Mutex::new(0));
    let ledger = Arc::new(Mutex::new(0));
    let both_have_one = Arc::new(Barrier::new(2));
    let mut threads = Vec::new();
    for name in ["io", "audit"] {
        let (account, ledger, barrier) = (account.clone(), ledger.clone(), both_have_one.clone());
        let run = move || match (healthy, name) {
            (true, _) => lock_both(&account, &ledger, None),
            (false, "io") => lock_both(&account, &ledger, Some(&barrier)),
            (false, _) => lock_both(&ledger, &account, Some(&barrier)),
        };
        threads.push(thread::Builder::new().name(name.into()).spawn(run).unwrap());
    }
    println!("READY");
    std::io::stdout().flush().unwrap();
    for thread in threads {
        thread.join().unwrap(); // LINE: main joins
    }
}
