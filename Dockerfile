# isodrop on Debian 12, built for the machine that builds the image (-march=native):
#   docker build -t isodrop .
#   docker run --rm isodrop                                # the default comparison
#   docker run --rm -v "$PWD:/work" isodrop advise --text book.txt --time 10min
#   docker run --rm --entrypoint /isodrop/scripts/test isodrop      # the tests
FROM debian:12
WORKDIR /isodrop
COPY . .
RUN scripts/run --version
# Results go where the caller's folder is, if one is mounted.
RUN mkdir -p /work
WORKDIR /work
ENTRYPOINT ["/isodrop/scripts/run"]
