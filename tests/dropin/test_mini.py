from __future__ import annotations


def test_both_run_the_same_study_in_directories_of_the_same_names(old, new, mini, tmp_path):
    old("run", "-o", "a", "--aa=[1, 2], output_dir='a/%s'", mini.name)
    new("run", "-o", "b", "--aa=[1, 2], output_dir='b/%s'", mini.name)

    names = sorted(path.name for path in (tmp_path / "a").iterdir() if path.is_dir())
    assert len(names) == 2
    assert names == sorted(
        path.name for path in (tmp_path / "b").iterdir() if path.is_dir() and path.name != ".soops"
    )
