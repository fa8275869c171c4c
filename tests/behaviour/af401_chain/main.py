import store
from service import Service, summary


def main():
    words, total = summary(Service("abc"))
    if words == "ABC-CBA" and total == 3 and store.calls == ["abc", "abc"]:
        print("cured")


if __name__ == "__main__":
    main()
