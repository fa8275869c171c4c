//! A few inputs for the fuzz targets of `fuzz/`, so that they keep working and what they check holds for these. The
//! long runs are a command of their own: see CONTRIBUTING.md.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

/// How many inputs each target gets.
const INPUTS: u64 = 60;

/// Bytes that look random, the same ones each time (Marsaglia, "Xorshift RNGs", 2003).
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

#[test]
fn any_bytes_are_read_or_refused() {
    for seed in 0..INPUTS {
        fuzz::bytes(&bytes(seed, 200));
    }
    let programs: [&[u8]; 6] = [
        b"\x00import time\rasync def f():\r    time.sleep(1)\r",
        b"\x00\xef\xbb\xbfimport time\nasync def f():\n\ttime.sleep(1)",
        b"\x00# coding: latin-1\nimport time\nasync def f():\n    time.sleep(1)  # \xe9\n",
        b"\x01{\"cells\": [{\"cell_type\": \"code\", \"source\": \"import time\\nawait x\\ntime.sleep(1)\", \"metadata\": {}, \"outputs\": [], \"execution_count\": null}], \"metadata\": {}, \"nbformat\": 4, \"nbformat_minor\": 5}",
        b"\x02# Page\n\n```python\nimport time\nasync def f():\n    time.sleep(1)\n```\n",
        b"\x03Page\n\n.. code-block:: python\n\n    import time\n    async def f():\n        time.sleep(1)\n",
    ];
    programs.into_iter().for_each(fuzz::bytes);
}

#[test]
fn spliced_programs_stay_whole() {
    for seed in 0..INPUTS {
        fuzz::splice(&bytes(seed, 24));
    }
}

#[test]
fn configurations_are_followed_or_refused() {
    let settings = [
        "",
        "select = [\"ALL\"]\n",
        "select = [\"AF2\", \"nothing\"]\n",
        "unsafe-fixes = 3\n",
        "[per-file-ignores]\n\"*.py\" = [\"AF7\"]\n",
        "[concurrency]\nlimit = -1\n",
        "extend = \"asyncfix.toml\"\n",
        "\u{feff}preview = true\r\n",
    ];
    let notes = [
        "asyncfix: ignore",
        "noqa: AF201, AF701",
        "asyncfix: ignore[AF2]\nasyncfix: ignore[\nnoqa:",
        "type: ignore # noqa # asyncfix: ignore[AF201,]",
    ];
    for (seed, settings) in (0..).zip(settings) {
        for note in notes {
            let lines = format!("{note}\n").repeat(8);
            fuzz::config(format!("{settings}\0{lines}").as_bytes());
        }
        fuzz::config(&bytes(seed, 120));
    }
}

#[test]
fn clients_get_an_answer_to_each_question() {
    for seed in 0..INPUTS / 4 {
        fuzz::server(&bytes(seed, 60));
    }
}
