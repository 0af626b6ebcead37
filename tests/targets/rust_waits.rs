// scripted_waits.cc in Rust: a thread waits twenty times for a std::sync::Mutex that main holds for
// 20 ms. Starts at SIGUSR1; then prints "waited=NS" (the sum as the waiter measured it) and DONE.
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

extern "C" {
    fn prctl(option: i32, value: u64) -> i32;
    fn sigemptyset(set: *mut u64) -> i32;
    fn sigaddset(set: *mut u64, signal: i32) -> i32;
    fn sigprocmask(how: i32, set: *const u64, old: *mut u64) -> i32;
    fn sigwait(set: *const u64, signal: *mut i32) -> i32;
}
const PR_SET_PDEATHSIG: i32 = 1;
const SIGKILL: u64 = 9;
const SIGUSR1: i32 = 10;
const SIG_BLOCK: i32 = 0;
const SIGSET_WORDS: usize = 16;

const WAITS: u64 = 20;
static ACCOUNT: Mutex<u64> = Mutex::new(0);
static ALLOWED: AtomicU64 = AtomicU64::new(0); // how many waits the waiter may begin
static DONE: AtomicU64 = AtomicU64::new(0);
static WAITED: AtomicU64 = AtomicU64::new(0);

fn tick() {
    thread::sleep(Duration::from_micros(100));
}

fn deposit() {
    *ACCOUNT.lock().unwrap() += 1; // LINE: waiter waits
}

fn wait_all() {
    for i in 1..=WAITS {
        while ALLOWED.load(SeqCst) < i {
            tick();
        }
        let begin = Instant::now();
        deposit(); // LINE: waiter deposits
        WAITED.fetch_add(begin.elapsed().as_nanos() as u64, SeqCst);
        DONE.store(i, SeqCst);
    }
}

fn is_asleep(tid: &str) -> bool {
    let path = format!("/proc/self/task/{tid}/syscall");
    // "202 0x...": futex(2). What runs has no number.
    std::fs::read_to_string(path).map_or(false, |text| text.starts_with("202 "))
}

// The tid of the only other thread.
fn other_thread() -> String {
    let own = std::process::id().to_string();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    names.into_iter().find(|name| *name != own).unwrap()
}

fn main() {
    let mut start = [0u64; SIGSET_WORDS];
    unsafe {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigemptyset(start.as_mut_ptr());
        sigaddset(start.as_mut_ptr(), SIGUSR1);
        sigprocmask(SIG_BLOCK, start.as_ptr(), std::ptr::null_mut());
    }
    let waiter = thread::Builder::new().name("waiter".into()).spawn(wait_all).unwrap();
    let waiter_tid = other_thread();
    println!("READY");
    std::io::stdout().flush().unwrap();
    let mut signal = 0;
    unsafe { sigwait(start.as_ptr(), &mut signal) };
    for i in 1..=WAITS {
        let held = ACCOUNT.lock().unwrap();
        ALLOWED.store(i, SeqCst);
        while !is_asleep(&waiter_tid) {
            tick();
        }
        thread::sleep(Duration::from_millis(20));
        drop(held);
        while DONE.load(SeqCst) < i {
            tick();
        }
    }
    waiter.join().unwrap();
    println!("waited={}\nDONE", WAITED.load(SeqCst));
    std::io::stdout().flush().unwrap();
    loop {
        thread::sleep(Duration::from_secs(600));
    }
}
